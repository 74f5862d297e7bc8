"""A run's completions in Chromium: a step at a glance, its keys, and a completion token by token with real scores."""

import re
import shutil
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from safetensors.numpy import load_file, save_file

from tests.browser.conftest import sideways
from training.data.problems import load_problems
from training.groups import Rollout
from training.home import DEMO_MODEL, Home
from training.presets import load_preset
from training.rewards import score_completion
from training.store import Store

pytestmark = pytest.mark.browser

RIGHT, WRONG = "<reasoning>\nSo {0} €.\n</reasoning>\n<answer>\n{0}\n</answer>", "<reasoning>\nSo {0} is it.\n</reasoning>\n"
SCORED_TIMEOUT_MS = 600_000
VALUES = ".atlas-tokens-values"
STEPS = 4


@pytest.fixture(scope="module")
def run_page(start_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a run with two groups of four completions a step, and a checkpoint that is not quite the demo."""
    root = tmp_path_factory.mktemp("completions")
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(root)})
    store = Store.open(home.store_url)
    config = load_preset("demo", ["num_generations=4", "per_device_train_batch_size=8", f"max_steps={STEPS}"])
    job, _ = store.create_job("train", "demo", config.model_dump(mode="json"), total=STEPS)
    store.start(job.id)
    for step in range(1, STEPS + 1):
        store.record(job.id, rollouts=[made for group in range(2) for made in completions(step, group)])
    folder = home.job_folder(job.id) / "checkpoint-4"
    shutil.copytree(DEMO_MODEL, folder)
    weights = load_file(folder / "model.safetensors")
    save_file({name: value * 1.02 for name, value in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    store.add_checkpoint(job.id, 4, str(folder))
    store.end(job.id, "finished", "done")
    return f"{start_app(root)}/runs?run={job.id}&tab=Completions"


def completions(step: int, group: int) -> list[Rollout]:
    problem = load_problems("demo").problems[group]
    made = []
    for position in range(4):
        text = (RIGHT if position < 2 else WRONG).format(problem.gold if position != 1 else "0")
        rewards = score_completion(text, problem.gold)
        total = sum(value or 0.0 for value in rewards.values())
        made.append(Rollout(step, group, position, problem.id, text, rewards, total, 1.0 - position, 30 + position, "stop"))
    return made


def press(page: Page, key: str) -> None:
    """Press a key once the page has come to rest: one that is pressed before may fall between two of its runs."""
    page.locator("[data-test-script-state=notRunning]").wait_for()
    page.keyboard.press(key)


def test_arrow_keys_lead_to_groups_and_steps_and_a_slash_to_the_search(run_page: str, page: Page) -> None:
    page.goto(run_page)
    expect(page.get_by_text("Step 4, group 1 of 2")).to_be_visible()
    press(page, "ArrowRight")
    expect(page.get_by_text("Step 4, group 2 of 2")).to_be_visible()
    press(page, "Shift+ArrowLeft")
    expect(page.get_by_text("Step 3, group 2 of 2")).to_be_visible()
    press(page, "ArrowLeft")
    expect(page.get_by_text("Step 3, group 1 of 2")).to_be_visible()
    press(page, "/")
    field = page.get_by_label("Text", exact=True)
    expect(field).to_be_focused()
    field.press_sequentially("a/b")
    expect(field).to_have_value("a/b")


def test_a_bar_shows_the_completions_behind_it(run_page: str, page: Page) -> None:
    page.goto(run_page)
    right = page.locator(".st-key-step_chart-reward-correctness .barlayer .trace").first
    bar = right.locator(".point path").last
    expect(bar).to_be_attached()
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_text("2 completions of step 4: hard correctness 1")).to_be_visible()
    expect(page.get_by_role("button", name="Open its group")).to_have_count(2)
    expect(page.get_by_text("Step 4, group 1 of 2")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("2 completions of step 4: hard correctness 1")).to_be_visible()
    page.get_by_role("button", name="All groups").click()
    expect(page.get_by_text("Step 4, group 1 of 2")).to_be_visible()


def test_a_completion_is_read_token_by_token(run_page: str, page: Page) -> None:
    page.goto(f"{run_page}&step=2")
    page.get_by_role("button", name="By token").click()
    text = page.locator(".atlas-tokens")
    expect(text).to_be_visible(timeout=SCORED_TIMEOUT_MS)
    wanted = completions(2, 0)[0].completion
    shown = "".join(text.locator("span").all_text_contents())
    assert shown.replace("\u21b5", "").replace("\u00b7", "").removesuffix("\u25a0 end") == wanted
    euro = text.locator("span", has_text="€")
    euro.hover()
    expect(page.locator(VALUES)).to_contain_text("€ (part 1 of 3)")
    expect(page.locator(VALUES)).to_contain_text("log-ratio")
    text.focus()
    page.keyboard.press("End")
    expect(page.locator(VALUES)).to_contain_text("end of turn")
    page.keyboard.press("Home")
    expect(page.locator(VALUES)).to_contain_text("token 1 of")
    expect(page).to_have_url(re.compile(r"[?&]step=2(&|$)"))  # the keys were the text's
    before = text.locator("span").nth(5).evaluate("span => span.style.background")
    page.get_by_role("button", name="Log-probability").or_(page.get_by_role("radio", name="Log-probability")).first.click()
    expect(page.locator(".atlas-tokens-legend")).to_contain_text("Log-probability, nats")
    assert text.locator("span").nth(5).evaluate("span => span.style.background") != before
    assert len(set(text.locator("span").evaluate_all("spans => spans.map((span) => span.style.background)"))) > 3


def test_a_right_and_a_wrong_completion_are_marked_where_they_part(run_page: str, page: Page) -> None:
    page.goto(f"{run_page}&step=2&tokens=True&completion=1&beside=3")
    page.get_by_role("button", name="Score the tokens").click()
    expect(page.locator(".atlas-tokens")).to_have_count(2, timeout=SCORED_TIMEOUT_MS)
    expect(page.locator(".atlas-tokens .parts")).to_have_count(2)
    expect(page.get_by_text("They part at token")).to_be_visible()
    for width in (820, 1920):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_function(
            "(width) => document.querySelector('.atlas-tokens')?.getBoundingClientRect().right <= width", arg=width
        )
        assert sideways(page) == 0
    page.get_by_role("button", name="Back to the group").click()
    expect(page.get_by_text("Step 2, group 1 of 2")).to_be_visible()
