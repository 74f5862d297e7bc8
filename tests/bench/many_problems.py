"""An atlas of 100,000 problems: its memory and time, and the map in Chromium.

`python -m tests.bench.many_problems [--problems N]`

The problems are made here; their vectors too (a mixture of Gaussians), because embedding so many questions takes twenty
minutes on two cores and is measured elsewhere.
"""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from playwright.sync_api import sync_playwright

from analysis.atlas import AtlasParameters, build_atlas, map_sample
from analysis.cache import Cache
from analysis.embed import unit_rows
from tests.bench.explore_page import POINTS
from tests.browser.conftest import CHROMIUM_ARGUMENTS, DRAG_LAYER, drag_lasso, start_dashboard, stop
from training.data.problems import load_problems
from training.home import Home

TOPICS = 200
WIDTH = 384
GOALS = {"peak memory, GiB": 6.0, "lasso, s": 2.0}


def main(problems: int = 100_000, build: Annotated[bool, typer.Option("--build", hidden=True)] = False) -> None:
    """An atlas of 100,000 problems: its memory and time, and the map in Chromium."""
    if build:
        _build()
        return
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "many"
        source.mkdir()
        write_problems(source, problems)
        variables = {"GRPO_ATLAS_HOME": f"{scratch}/home", "GRPO_ATLAS_DATA": str(source), "HF_HUB_OFFLINE": "1"}
        subprocess.run([sys.executable, "-m", "tests.bench.many_problems", "--build"], env=os.environ | variables, check=True)
        shown = min(problems, len(map_sample(load_problems(str(source))).problems))
        _look(Path(scratch) / "home", source, shown)


def write_problems(folder: Path, count: int) -> None:
    """Problems of `TOPICS` topics with words of their own, a tenth of them test."""
    random = np.random.default_rng(0)
    words = np.array(["".join(random.choice(list("abcdefghijklmnopqrstuvwxyz"), 6)) for _ in range(20 * TOPICS)])
    with (folder / "train.jsonl").open("w") as train, (folder / "test.jsonl").open("w") as test:
        for number in range(count):
            topic = number % TOPICS
            told = " ".join(words[20 * topic + random.integers(0, 20, 30)])
            steps = [f"So {n} + 1 = <<{n}+1={n + 1}>>{n + 1}." for n in range(random.integers(2, 9))]
            row = {"question": f"t{topic} {told} {number}?", "answer": "\n".join([*steps, f"#### {len(steps)}"])}
            (test if number % 10 == 0 else train).write(json.dumps(row) + "\n")


def made_up_vectors(texts: Sequence[str], model: str, report: Callable[[int], None]) -> NDArray[np.float32]:
    """(N, WIDTH): each text near its topic's direction."""
    random = np.random.default_rng(1)
    centres = unit_rows(random.normal(size=(TOPICS, WIDTH)).astype(np.float32))
    topics = [int(re.match(r"t(\d+)", text)[1]) for text in texts]  # type: ignore[index]
    vectors = unit_rows(centres[topics] + 0.04 * random.normal(size=(len(texts), WIDTH)).astype(np.float32))
    report(len(texts))
    return vectors


def _build() -> None:
    home = Home.from_environment()
    problems = map_sample(load_problems("auto", home))
    parameters = AtlasParameters(compare_with=AtlasParameters.model)
    started, ends = time.monotonic(), {}
    build_atlas(
        problems,
        parameters,
        Cache(home.cache / "atlas"),
        lambda progress: ends.__setitem__(progress.stage, time.monotonic() - started),
        made_up_vectors,
    )
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = sum(resource.getrusage(who).ru_maxrss for who in processes) / 2**20
    print(f"{len(problems.problems):,} problems; stages ended after " + ", ".join(f"{k} {v:.0f} s" for k, v in ends.items()))
    print(
        f"peak memory {peak:.2f} GiB; ratio to the goal of {GOALS['peak memory, GiB']:g} GiB: "
        f"{peak / GOALS['peak memory, GiB']:.2f}",
        flush=True,
    )


def _look(home: Path, source: Path, shown: int) -> None:
    process, address = start_dashboard(home, home / "bench.log", {"GRPO_ATLAS_DATA": str(source)})
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            for name in ("first", "second"):
                started = time.monotonic()
                page.goto(f"{address}/?compare={AtlasParameters.model}")
                page.wait_for_function(f"() => {POINTS} === {shown}", timeout=180_000)
                print(f"map of {shown:,} points drawn, {name} visit: {time.monotonic() - started:.1f} s")
            page.wait_for_timeout(3000)
            page.locator(DRAG_LAYER).first.wait_for()
            drag_lasso(page, release=False)
            started = time.monotonic()
            page.mouse.up()
            page.wait_for_function(
                "() => [...document.querySelectorAll('strong')].some((line) => /^[\\d,]+ selected, /.test(line.textContent))",
                polling=20,
                timeout=180_000,
            )
            seconds = time.monotonic() - started
            said = page.locator("strong", has_text="selected,").first.inner_text()
            goal = GOALS["lasso, s"]
            print(f"lasso ({said}): {seconds:.2f} s; ratio to the goal of {goal:g} s: {seconds / goal:.2f}")
            browser.close()
    finally:
        stop(process)


if __name__ == "__main__":
    typer.run(main)
