"""Insights as it is seen: names that can be read, nothing cut."""

from itertools import combinations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import sideways

pytestmark = pytest.mark.browser

TOPICS = ".st-key-figure-topics .js-plotly-plot"


@pytest.mark.parametrize("width", [820, 1280, 2560])
def test_names_of_topics_never_overlap_or_leave_their_chart(app: str, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{app}/insights")
    names = page.locator(f"{TOPICS} .textpoint text")
    expect(names.first).to_be_attached()
    boxes = page.evaluate(
        f"""() => [...document.querySelectorAll("{TOPICS} .textpoint text")].map((text) => {{
            const {{ left, right, top, bottom }} = text.getBoundingClientRect();
            return [left, right, top, bottom];
        }})"""
    )
    chart = page.locator(TOPICS).bounding_box()
    assert chart is not None
    assert len(boxes) >= 3
    for left, right, _, _ in boxes:
        assert chart["x"] <= left < right <= chart["x"] + chart["width"]
    for one, other in combinations(boxes, 2):
        assert one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] or other[3] <= one[2]
    assert sideways(page) == 0


def test_a_finding_tells_how_it_was_computed(app: str, page: Page) -> None:
    page.goto(f"{app}/insights")
    page.get_by_role("button", name="How this was computed").first.click()
    expect(page.get_by_text("python -m analysis report --source auto")).to_be_visible()
