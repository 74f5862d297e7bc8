"""The drawer of Explore in Chromium: one problem beside the table, before and after it, and nothing that jumps."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MAP, point_at, sideways

pytestmark = pytest.mark.browser

WIDTHS = (820, 1280, 1440, 1920, 2560)
PANEL = ".st-key-problem_panel"


def open_first(page: Page) -> None:
    page.mouse.click(*point_at(page, page.evaluate(f"{MAP}._fullData[0].customdata[0]")))
    expect(page.locator(PANEL)).to_be_visible()


def test_choosing_a_problem_moves_nothing(explore: Page) -> None:
    before = explore.evaluate(f"{MAP}.getBoundingClientRect().toJSON()")
    open_first(explore)
    assert explore.evaluate(f"{MAP}.getBoundingClientRect().toJSON()") == before
    explore.get_by_role("button", name="Close").click()
    expect(explore.locator(PANEL)).to_be_hidden()


def test_pinned_it_leaves_the_map_in_sight(explore: Page) -> None:
    open_first(explore)
    ends, begins = f"{MAP}?.getBoundingClientRect().right", f"document.querySelector('{PANEL}')?.getBoundingClientRect().left"
    explore.get_by_role("button", name="Pin").click()
    explore.wait_for_function(f"() => {ends} <= {begins}")
    explore.get_by_role("button", name="Unpin").click()
    explore.wait_for_function(f"() => {ends} > {begins}")


def test_arrow_keys_go_through_the_table(app: str, page: Page) -> None:
    page.goto(f"{app}/?problem=train-5")
    panel = page.locator(PANEL)
    expect(panel).to_contain_text("train-5")
    for key, row in (("ArrowRight", 6), ("ArrowLeft", 5), ("ArrowLeft", 4)):
        page.wait_for_function(f"(row) => Math.abs({MAP}?.atlas?.chosen - row) === 1", arg=row)
        page.keyboard.press(key)
        expect(panel).to_contain_text(f"train-{row}")


def test_all_of_explore_is_in_reach(app: str, page: Page) -> None:
    page.goto(f"{app}/?problem=test-0")
    expect(page.locator(PANEL)).to_contain_text("Nearest problems")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(f"(width) => ({MAP}?.getBoundingClientRect().right ?? Infinity) <= width", arg=width)
        for name in ("Filter", "Map", "Save", "Export", "Train on these", "Close"):
            button = page.get_by_role("button", name=name, exact=True)
            button.scroll_into_view_if_needed()
            box = button.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        assert sideways(page) == 0
