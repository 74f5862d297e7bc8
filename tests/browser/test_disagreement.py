"""Two judges in a browser: an answer is marked, the rates follow, and the files of cases are what pandas reads."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from training.data.problems import load_problems
from training.groups import Rollout
from training.home import Home
from training.presets import load_preset
from training.rewards import ARTICLE_REWARDS, score_completion
from training.store import Store

pytestmark = pytest.mark.browser

TEXTS = ("<answer>{}</answer>", '<answer>${}</answer>, "so"\n=1+1', "<answer>x</answer>")


def record_run(home: Path, steps: int = 6) -> str:
    """A finished run in which of three answers to a problem one is right by soft correctness alone."""
    store = Store.open(Home.from_environment({"GRPO_ATLAS_HOME": str(home)}).store_url)
    problem_set = load_problems("demo")
    spec = load_preset("demo").model_dump(mode="json") | {"content_hash": problem_set.content_hash}
    run_id = store.create_job("train", "demo", spec, total=steps)[0].id
    store.start(run_id)
    for step in range(1, steps + 1):
        problem = problem_set.problems[step]
        texts = [text.format(problem.gold) for text in TEXTS]
        rewards = [{name: score_completion(text, problem.gold)[name] for name in ARTICLE_REWARDS} for text in texts]
        rollouts = [
            Rollout(step, 0, place, problem.id, text, scored, 1.0, 0.0, 9, "stop")
            for place, (text, scored) in enumerate(zip(texts, rewards, strict=True))
        ]
        store.record(run_id, rollouts=rollouts)
    store.end(run_id, "finished", "done")
    store.close()
    return run_id


def test_an_answer_is_marked_and_pandas_reads_the_cases(start_app: Callable[..., str], page: Page, tmp_path: Path) -> None:
    run_id = record_run(tmp_path)
    page.goto(f"{start_app(tmp_path)}/runs?run={run_id}")
    page.get_by_role("tab", name="Disagreement").click()
    expect(page.get_by_text("differ on 6 of 18 completions", exact=False)).to_be_visible()
    expect(page.get_by_text("Answer 1 of 6 in the random order, 0 marked")).to_be_visible()
    page.get_by_role("button", name="Soft correctness is right").click()
    expect(page.get_by_text("Answer 2 of 6 in the random order, 1 marked")).to_be_visible()
    page.get_by_role("button", name="Unclear").click()
    expect(page.get_by_text("Answer 3 of 6 in the random order, 2 marked")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Answer 3 of 6 in the random order, 2 marked")).to_be_visible()

    def cases(name: str) -> Path:
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        return Path(download.value.path())

    of_lines = pd.read_json(cases("Cases, JSON Lines"), lines=True, dtype=False)
    of_table = pd.read_csv(cases("Cases, CSV"), keep_default_na=False, dtype={"gold": str, "answer": str})
    assert list(of_lines["mark"]) == ["right", "unclear", "", "", "", ""]
    assert list(of_lines["who"][:2]) == ["this machine"] * 2
    for column in ("problem", "gold", "completion", "answer", "mark", "times", "digest"):
        assert list(of_table[column]) == list(of_lines[column]), column
    assert set(of_lines["second_verdict"]) == {"right"}
