"""Evaluate as it is seen: the article's table is never cut."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import sideways
from tests.fakes import record_evaluation
from training.data.problems import load_problems
from training.home import Home
from training.presets import load_preset
from training.rewards import score_completion
from training.store import Store
from training.store.evaluations import EvaluationItem

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def evaluated(start_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a program with a run that was evaluated before, in between and after."""
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path_factory.mktemp("evaluated"))})
    store = Store.open(home.store_url)
    job, _ = store.create_job("train", "demo", load_preset("demo").model_dump(mode="json"), total=10)
    for label, step, right in (("before", 0, 4), ("step-5", 5, 9), ("after", 10, 9)):
        problems = load_problems("demo").of_split("test")[:20]
        texts = [f"<answer>\n{problem.gold if n < right else 'none'}\n</answer>" for n, problem in enumerate(problems)]
        items = [
            EvaluationItem(problem.id, text, score_completion(text, problem.gold), 9)
            for problem, text in zip(problems, texts, strict=True)
        ]
        record_evaluation(store, job.id, label, step, "test", items)
    store.end(job.id, "finished", "done")
    return f"{start_app(home.root)}/evaluate?run={job.id}"


def test_a_style_brings_its_fields_and_its_examples(evaluated: str, page: Page) -> None:
    page.set_viewport_size({"width": 820, "height": 1200})
    page.goto(f"{evaluated}&part=measure")
    examples = page.get_by_role("spinbutton", name="Worked examples")
    expect(examples).to_have_value("0")
    page.get_by_role("combobox", name="Prompt").click()
    page.get_by_role("option", name="As lm-evaluation-harness").click()
    expect(examples).to_have_value("5")
    expect(page.get_by_role("spinbutton", name="Seed")).to_have_value("1234")
    examples.fill("1")
    examples.press("Enter")
    expect(page.get_by_role("button", name="Measure", exact=True)).to_be_enabled()
    page.get_by_text("Wording").click()
    expect(page.get_by_role("textbox", name="System prompt")).to_have_value("")
    assert sideways(page) == 0


@pytest.mark.parametrize("width", [820, 1280, 2560])
@pytest.mark.parametrize("several", [False, True])
def test_the_articles_table_is_never_cut(evaluated: str, page: Page, width: int, several: bool) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    run = evaluated.rpartition("=")[2]
    of_all = ",".join(f"{run}:{label}" for label in ("before", "step-5", "after"))
    page.goto(f"{evaluated}&evaluations={of_all}&article=True" if several else evaluated)
    table = page.locator('[data-testid="stTable"]')
    expect(table.get_by_role("columnheader", name="after − before")).to_be_visible()
    cut = table.evaluate(
        """(table) => [table, ...table.querySelectorAll("*")].filter((e) => e.scrollWidth > e.clientWidth + 1 &&
            ["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX)).length"""
    )
    assert cut == 0
    assert sideways(page) == 0
