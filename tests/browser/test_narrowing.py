"""Selecting, searching, filtering, saving and sharing on Explore, in Chromium on the demo and on hostile questions."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from analysis.atlas import AtlasParameters, build_atlas
from analysis.cache import Cache
from tests.browser.conftest import DRAG_LAYER, MAP, drag_lasso, point_at
from tests.fakes import FakeEmbedder
from training.data.problems import load_problems
from training.home import Home

pytestmark = pytest.mark.browser

LEFT = ((0.1, 0.1), (0.55, 0.1), (0.55, 0.9), (0.1, 0.9), (0.1, 0.14))
RIGHT = ((0.35, 0.1), (0.9, 0.1), (0.9, 0.9), (0.35, 0.9), (0.35, 0.14))
SELECTED = re.compile(r"^[\d,]+ selected, \d")
FOUND = re.compile(r"^[\d,]+ found, \d")


def standing_out(page: Page) -> set[int]:
    """Rows that the map itself shows as selected."""
    rows = page.evaluate(f"{MAP}._fullData.flatMap((t) => [...(t.selectedpoints || [])].map((index) => t.customdata[index]))")
    return set(rows)


def number_in(page: Page, line: re.Pattern[str]) -> int:
    found = page.get_by_text(line)
    expect(found).to_be_visible()
    return int(found.inner_text().split()[0].replace(",", ""))


def settle(page: Page, line: re.Pattern[str]) -> set[int]:
    """What stands out once the map shows as many problems as the line says."""
    page.wait_for_function(
        f"""([source]) => {{
            const line = [...document.querySelectorAll("strong")].find((e) => new RegExp(source).test(e.textContent));
            const shown = {MAP}._fullData.reduce((sum, trace) => sum + (trace.selectedpoints?.length ?? 0), 0);
            return line && shown === Number(line.textContent.split(" ")[0].replaceAll(",", ""));
        }}""",
        arg=[line.pattern],
    )
    return standing_out(page)


def test_lassos_are_put_together_as_chosen(explore: Page) -> None:
    drag_lasso(explore, LEFT)
    left = settle(explore, SELECTED)
    for choice, expected in (("Add", None), ("Remove", "less"), ("Intersect", "none")):
        explore.get_by_role("radio", name=choice, exact=True).click()
        before = standing_out(explore)
        drag_lasso(explore, RIGHT)
        if expected is None:
            explore.wait_for_function(
                f"(n) => {MAP}._fullData.reduce((s, t) => s + (t.selectedpoints?.length ?? 0), 0) > n", arg=len(left)
            )
            both = settle(explore, SELECTED)
            assert left < both
            right_side = both - left
        elif expected == "less":
            explore.wait_for_function(
                f"(n) => {MAP}._fullData.reduce((s, t) => s + (t.selectedpoints?.length ?? 0), 0) < n", arg=len(before)
            )
            rest = settle(explore, SELECTED)
            assert rest < left
            assert not rest & right_side
        else:
            expect(explore.get_by_text("Draw a lasso to select", exact=False)).to_be_visible()


def test_words_and_a_bar_narrow_the_map_and_the_table(explore: Page) -> None:
    everything = explore.evaluate(f"{MAP}._fullData.reduce((sum, trace) => sum + trace.x.length, 0)")
    explore.get_by_role("textbox", name="Search").fill("garden")
    explore.keyboard.press("Enter")
    gardens = settle(explore, FOUND)
    assert 0 < len(gardens) < everything
    explore.wait_for_url("**q=garden**")
    bar = explore.locator(".st-key-steps_chart .bars path").nth(1)
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    assert box is not None
    explore.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] - 4)
    explore.wait_for_url(re.compile("steps="))
    narrowed = settle(explore, FOUND)
    assert narrowed < gardens
    explore.get_by_role("button", name="Clear filters").click()
    expect(explore.get_by_text(f"All {everything:,} problems", exact=False)).to_be_visible()
    explore.wait_for_function(f"() => {MAP}._fullData.every((trace) => !trace.selectedpoints)")


def test_filters_cleared_while_they_are_open_stay_cleared(explore: Page) -> None:
    explore.get_by_role("button", name="Filter").click()
    explore.get_by_role("radio", name="test", exact=True).click()
    explore.wait_for_url("**split=test**")
    explore.get_by_role("button", name="Clear filters").click()
    expect(explore.get_by_text("Draw a lasso to select", exact=False)).to_be_visible()
    explore.get_by_role("textbox", name="Search").fill("garden")
    explore.keyboard.press("Enter")
    explore.wait_for_url("**q=garden**")
    expect(explore.get_by_text(re.compile("^Only words “garden”"))).to_be_visible()
    assert "split" not in explore.url


def test_a_pattern_that_cannot_be_read_is_explained_beside_the_map(explore: Page) -> None:
    explore.get_by_role("combobox", name="Search by").click()
    explore.get_by_role("option", name="Regex").click()
    explore.get_by_role("textbox", name="Search").fill("(apples")
    explore.keyboard.press("Enter")
    expect(explore.get_by_text("cannot be read at character 1", exact=False)).to_be_visible()
    expect(explore.locator(DRAG_LAYER).first).to_be_visible()


def test_meaning_finds_what_words_do_not_say(explore: Page) -> None:
    explore.get_by_role("combobox", name="Search by").click()
    explore.get_by_role("option", name="Meaning").click()
    explore.get_by_role("textbox", name="Search").fill("how tall a tree gets")
    explore.keyboard.press("Enter")
    line = explore.get_by_text(FOUND)
    line.wait_for(timeout=600_000)  # the model is prepared once
    assert number_in(explore, FOUND) == 50
    assert len(settle(explore, FOUND)) == 50


def test_a_selection_is_saved_shared_and_trained_on(start_app: Callable[..., str], page: Page, tmp_path: Path) -> None:
    address = start_app(tmp_path)
    page.goto(f"{address}/?steps=2&split=train")
    count = number_in(page, FOUND)
    page.get_by_role("button", name="Save").click()
    page.get_by_label("Name").fill("two steps")
    page.get_by_role("button", name="Save subset").click()
    expect(page.get_by_text("Saved as two steps@1", exact=False).first).to_be_visible()
    expect(page.get_by_role("button", name="Save subset")).to_be_hidden()
    page.goto(f"{address}/?subset=two+steps@1")
    assert number_in(page, FOUND) == count
    page.get_by_role("button", name="Train on these").click()
    page.wait_for_url("**/launch**")
    expect(page.get_by_role("combobox", name="Train on")).to_have_value(f"two steps@1, {count:,} problems")
    expect(page.get_by_role("button", name="Launch the run")).to_be_visible()


def test_a_deep_link_shows_the_same_in_three_dimensions(app: str, page: Page) -> None:
    page.goto(f"{app}/?view=3-D&colour=cluster&problem=test-0&q=garden&steps=2,3")
    number_in(page, FOUND)
    page.wait_for_function(f"() => {MAP}?._fullData?.some((trace) => trace.type === 'scatter3d')")
    expect(page.locator(".st-key-problem_panel")).to_contain_text("test-0")
    expect(page.get_by_role("textbox", name="Search")).to_have_value("garden")
    assert "view=3-D" in page.url


@pytest.fixture(scope="module")
def hostile_app(start_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program on a source with questions that are scripts, markup, controls, one of a megabyte, and two with one own id."""
    folder = tmp_path_factory.mktemp("hostile")
    questions = [
        "<script>globalThis.hacked = true</script><img src=x onerror='globalThis.hacked = true'> How many?",
        "[click](javascript:globalThis.hacked=true) **bold** $x^2$ :material/home: `code` # title",
        "Tab\there\nand a line\r\nand \u2028 \u0000 \ud83d\ude00 ‮right to left‬ 日本 ?",
        "long " * 200_000 + "?",
        *(f"Plain question number {n}?" for n in range(30)),
    ]
    rows = [
        {"id": "same", "question": question, "answer": f"<<1+{n}={n + 1}>>\n#### {n}"} for n, question in enumerate(questions)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "test.jsonl").write_text(json.dumps({"question": "Test?", "answer": "#### 1"}) + "\n")
    home = Home.from_environment(
        {"GRPO_ATLAS_HOME": str(tmp_path_factory.mktemp("hostile-home")), "GRPO_ATLAS_DATA": str(folder)}
    )
    build_atlas(load_problems("auto", home), AtlasParameters(), Cache.from_home(home), lambda progress: None, FakeEmbedder())
    return start_app(home.root, GRPO_ATLAS_DATA=str(folder))


@pytest.mark.parametrize("problem", ["train-0", "train-1", "train-2", "train-3"])
def test_questions_are_shown_as_text_and_never_run(hostile_app: str, page: Page, problem: str) -> None:
    page.goto(f"{hostile_app}/?problem={problem}&colour=cluster")
    panel = page.locator(".st-key-problem_panel")
    expect(panel).to_contain_text(problem)
    expect(panel.locator("script, img, a[href^='javascript']")).to_have_count(0)
    row = int(problem.split("-")[1])
    page.wait_for_function(f"(row) => {MAP}?.atlas?.chosen === row", arg=row)
    point_at(page, row)
    expect(page.locator(".st-key-map .atlas-hover").locator("script, img")).to_have_count(0)
    assert page.evaluate("globalThis.hacked") is None
    if problem == "train-0":
        expect(panel).to_contain_text("<script>globalThis.hacked = true</script>")
    if problem == "train-3":
        expect(panel).to_contain_text("The first 20,000 of 1,000,001 characters")
