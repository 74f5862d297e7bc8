"""The report: one file that needs nothing else, in which hostile text stays text."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import record_evaluation
from training.__main__ import main
from training.config import RunConfig
from training.errors import ConfigError
from training.groups import Rollout
from training.home import Home
from training.insight.report import COMPLETIONS_SHOWN, report_html
from training.insight.report_figures import BINS, curve_svg, thin
from training.rewards import score_completion
from training.store import Progress, Store
from training.store.evaluations import EvaluationItem

HOSTILE = '</pre></style><script>alert(1)</script><img src=x onerror="alert(1)"> & "quoted"'


class Elements(HTMLParser):
    """Every tag with its attributes, as a browser reads the file."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture(scope="module")
def source(home: Home) -> Path:
    """A source whose problems are hostile too."""
    import json

    rows = [{"question": f"{number}: {HOSTILE}", "answer": f"x\n#### {number}"} for number in range(20)]
    folder = home.root / "problems"
    folder.mkdir()
    for split in ("train", "test"):
        (folder / f"{split}.jsonl").write_text("\n".join((*map(json.dumps, rows), HOSTILE)))
    return folder


@pytest.fixture(scope="module")
def store(home: Home, source: Path) -> Store:
    """A run of 12 steps, every text in it hostile: one that a thinned curve, health and both evaluations have to show."""
    store = Store.open(home.store_url)
    config = RunConfig(model=HOSTILE, source=str(source), system_prompt=HOSTILE, preset="demo")
    run = store.create_job("train", "demo", config.model_dump(mode="json"), total=12)[0]
    store.start(run.id)
    for step in range(1, 13):
        text = HOSTILE + f" {step % 2}"
        rows = [
            Rollout(step, 0, place, "train-1", text, score_completion(text, "1"), 0.0, 0.0, 9, "length") for place in range(4)
        ]
        store.record(run.id, rollouts=rows, scalars=[(step, {"reward": step / 6})], progress=Progress(step, 12, HOSTILE))
    for label, right in (("before", 2), ("after", 18)):
        texts = [f"{HOSTILE}<answer>{number if number < right else HOSTILE}</answer>" for number in range(20)]
        items = [EvaluationItem(f"test-{n}", text, score_completion(text, str(n)), 9) for n, text in enumerate(texts)]
        record_evaluation(store, run.id, label, 0, "test", items)
    store.end(run.id, "failed", HOSTILE)
    return store


@pytest.fixture(scope="module")
def report(store: Store, home: Home) -> str:
    return report_html(store, home, "demo-1")


def test_hostile_text_stays_text(report: str) -> None:
    elements = Elements(report)
    names = {tag for tag, _ in elements.tags}
    assert names.isdisjoint({"script", "img", "iframe", "object", "link", "a", "form"})
    assert not [name for _, attributes in elements.tags for name in attributes if name.startswith("on")]
    assert sum(HOSTILE in text for text in elements.texts) > 20


def test_the_file_fetches_nothing(report: str) -> None:
    elements = Elements(report)
    assert not [value for _, attributes in elements.tags for name, value in attributes.items() if name in ("src", "href")]
    style = report[report.index("<style>") : report.index("</style>")]
    assert not re.search(r"url\(|@import", style)
    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"}) in (
        elements.tags
    )


def test_the_report_has_figures_tables_and_what_changed(report: str) -> None:
    said = " ".join(Elements(report).texts)
    assert "0.100 (0.028 to 0.301)" in said, "hard correctness before, with its interval"
    assert "Hard correctness rose from 0.100 to 0.900 on 20 problems, 16 gained and 0 lost" in said
    assert "0.785" in said, "the article's figure"
    assert report.count("<details>") == COMPLETIONS_SHOWN
    assert "test-17" in said, "the ones not shown are named"
    assert "12 of 12" in said
    assert "Total reward" in said
    assert "cut off" in said.lower(), "the health signal"
    assert "num_generations" in said
    assert "1 of 21 train rows and 1 of 21 test rows left out: the line is not JSON" in said


def test_the_command_line_writes_it_and_refuses_what_is_no_run(
    store: Store, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    out = tmp_path / "run.html"
    assert main(["report", "demo-1", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert main(["report", "demo-1", "--out", str(tmp_path / "no" / "run.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="is not a run"):
        report_html(store, home, store.create_job("evaluate", "evaluate", {})[0].id)


def test_a_run_that_has_only_begun_has_a_report(home: Home, store: Store) -> None:
    run = store.create_job("train", "young", RunConfig(model="demo", source="/nowhere").model_dump(mode="json"), total=5)[0]
    said = " ".join(Elements(report_html(store, home, run.id)).texts)
    assert "has no complete evaluation" in said
    assert "has logged nothing yet" in said


def test_a_long_curve_is_drawn_as_means_with_the_range_that_they_stand_for() -> None:
    steps, values = np.arange(1, 100_001), np.zeros(100_000)
    values[54_321] = 7.0
    thinned = thin(steps, values)
    assert len(thinned.means) <= BINS
    assert thinned.high.max() == 7.0
    assert np.isclose(
        np.average(
            thinned.means, weights=[thinned.stretch] * (len(thinned.means) - 1) + [100_000 % thinned.stretch or thinned.stretch]
        ),
        7e-5,
    )
    assert 'class="band"' in curve_svg("x", thinned, 100_000)
    assert 'class="band"' not in curve_svg("x", thin(steps[:BINS], values[:BINS]), BINS)


@pytest.mark.parametrize("values", [[0.0], [-3.0, -3.0], [1e-9, 2e-9], [5e8, 1.0], [float(2**70), 0.0]])
def test_any_range_of_values_can_be_drawn(values: list[float]) -> None:
    drawn = curve_svg("a <title>", thin(np.arange(1, len(values) + 1), np.array(values)), len(values))
    assert "nan" not in drawn
    assert 2 <= drawn.count('class="grid"') <= 6
    assert "&lt;title&gt;" in drawn
