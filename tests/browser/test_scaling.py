"""Test-time scaling in a browser: a judge's choice over completions and tokens, a file of all points, scores on the steps."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import sideways
from tests.fakes import record_evaluation
from training.data.problems import load_problems
from training.home import Home
from training.presets import load_preset
from training.rewards import score_completion
from training.store import Store
from training.store.evaluations import EvaluationItem, evaluation_headings
from training.store.judgements import add_judgements, unjudged_items

pytestmark = pytest.mark.browser

PROBLEMS, SAMPLES = 20, 4


@pytest.fixture(scope="module")
def scaled(start_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a program with a run that was evaluated with four completions a problem, all judged."""
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path_factory.mktemp("scaled"))})
    store = Store.open(home.store_url)
    changes = ["evaluation_samples=4", "evaluation_temperature=1"]
    job, _ = store.create_job("train", "demo", load_preset("demo", changes).model_dump(mode="json"), total=10)
    for label, step, right in (("before", 0, 1), ("after", 10, 3)):
        items = []
        for problem in load_problems("demo").of_split("test")[:PROBLEMS]:
            for number in range(SAMPLES):
                answer = problem.gold if number < right else "0"
                text = f"<reasoning>\nfirst {answer}\nthen {answer}\n</reasoning>\n<answer>\n{answer}\n</answer>"
                items.append(EvaluationItem(problem.id, text, score_completion(text, problem.gold), 30 + number))
        record_evaluation(store, job.id, label, step, "test", items)
    for heading in evaluation_headings(store):
        found = unjudged_items(store, heading.key, "demo", "")
        scores = {one.item: [0.5, 0.9 if place % SAMPLES == 0 else 0.2] for place, one in enumerate(found)}
        add_judgements(store, "demo", "", scores)
    store.end(job.id, "finished", "done")
    return f"{start_app(home.root)}/evaluate?part=scaling&scorer=demo"


@pytest.mark.parametrize("width", [820, 1440])
def test_nothing_is_cut_or_out_of_reach(scaled: str, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(scaled)
    expect(page.locator(".js-plotly-plot")).to_have_count(3)
    assert sideways(page) == 0


def test_a_judges_choice_is_followed_from_the_curves_to_the_steps(scaled: str, page: Page) -> None:
    page.goto(scaled)
    expect(page.locator(".js-plotly-plot")).to_have_count(3)
    page.get_by_role("radio", name="Tokens").click()
    page.wait_for_url("**over=tokens*")
    page.get_by_text("tokens a problem", exact=True).first.wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV of all points").click()
    points = pd.read_csv(Path(download.value.path()))
    best = points[points["figure"] == "best of 4"].set_index("evaluation")
    assert best["value"].to_dict() == {"before": 1.0, "after": 1.0}
    assert best["tokens"].to_dict() == {"before": 126.0, "after": 126.0}
    page.get_by_role("radio", name="Steps", exact=True).click()
    page.get_by_text("steps of the reference solution", exact=True).wait_for()
    expect(page.locator(".rollout .step")).to_have_count(2 * SAMPLES)
    expect(page.locator(".rollout .step b").nth(1)).to_have_text("0.90")
