"""The plot component in Chromium, on a page of its own: drawing, selecting, hovering, in two and three dimensions."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MAP, drag_lasso, point_at, start_dashboard, stop, wait_for_rest

pytestmark = pytest.mark.browser

SCRIPT = Path(__file__).with_name("plot_app.py")
POINTS = 500
UPPER_HALF = ((0.05, 0.05), (0.95, 0.05), (0.95, 0.5), (0.05, 0.5), (0.05, 0.07))
SELECTED = f"{MAP}._fullData.reduce((sum, trace) => sum + (trace.selectedpoints?.length ?? 0), 0)"
LABELS = "[...document.querySelectorAll('.st-key-map .atlas-overlay text')].filter((t) => t.style.visibility === 'visible')"
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def plot_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("plot")
    settings = {
        "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
        "STREAMLIT_SERVER_HEADLESS": "true",
        "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    }
    process, address = start_dashboard(folder, folder / "log.txt", settings, SCRIPT)
    yield address
    stop(process)


@pytest.fixture
def open_map(plot_app: str, page: Page) -> Open:
    def open_address(query: str = "") -> Page:
        page.goto(f"{plot_app}/?{query}")
        page.wait_for_function(f"() => {MAP}?.atlas?.texts")
        return page

    return open_address


def shown(page: Page) -> int:
    """How many points the map itself shows as selected."""
    return int(page.evaluate(SELECTED))


def said(page: Page) -> int:
    """How many the page says are selected."""
    expect(page.get_by_text(re.compile(r"^[1-9]\d* selected"))).to_be_visible()
    return int(page.get_by_text(re.compile(r"^\d+ selected")).inner_text().split()[0])


def lasso(page: Page) -> int:
    drag_lasso(page, UPPER_HALF)
    return said(page)


def test_the_page_s_answer_to_a_lasso_is_shown(open_map: Open) -> None:
    page = open_map()
    drawn = lasso(page)
    assert shown(page) == drawn
    page.get_by_role("button", name="Keep even rows").click()
    page.wait_for_function(f"(drawn) => {SELECTED} < drawn", arg=drawn)
    expect(page.locator(".st-key-map .atlas-outline")).to_have_attribute("d", "")
    assert shown(page) == said(page) < drawn


def test_a_lasso_after_an_answer_replaces_it(open_map: Open) -> None:
    page = open_map()
    drawn = lasso(page)
    page.get_by_role("button", name="Keep even rows").click()
    expect(page.get_by_text(f"{drawn} selected")).to_be_hidden()
    drag_lasso(page, UPPER_HALF)
    expect(page.get_by_text(f"{drawn} selected")).to_be_visible()
    assert shown(page) == drawn


def test_escape_undoes_the_selection(open_map: Open) -> None:
    page = open_map()
    lasso(page)
    page.keyboard.press("Escape")
    expect(page.get_by_text("0 selected")).to_be_visible()
    page.wait_for_function(f"() => {MAP}._fullData.every((trace) => !trace.selectedpoints)")
    expect(page.locator(".st-key-map .atlas-outline")).to_have_attribute("d", "")


def test_a_selection_survives_other_colours_and_dimensions(open_map: Open) -> None:
    page = open_map()
    drawn = lasso(page)
    for colour, name in (("steps", "3"), ("cluster", "cluster 3"), ("length", "unknown")):
        page.get_by_role("radio", name=colour).click()
        named = f"(name) => {MAP}._fullData.some((trace) => trace.name === name || trace.meta.names?.includes(name))"
        page.wait_for_function(named, arg=name)
        assert shown(page) == drawn
    page.get_by_text("3-D").click()
    page.wait_for_function(f"() => {MAP}._fullLayout.scene")
    sizes = page.evaluate(f"{MAP}.data.flatMap((trace) => trace.marker.size)")
    assert sizes.count(max(sizes)) == drawn < len(sizes) == POINTS
    page.get_by_text("3-D").click()
    page.wait_for_function(f"() => {MAP}._fullLayout.xaxis && !{MAP}._fullLayout.scene")
    assert shown(page) == said(page) == drawn


def test_other_colours_are_drawn_into_the_same_plot(open_map: Open) -> None:
    page = open_map()
    page.evaluate(f"{MAP}.querySelector('canvas.gl-canvas').mark = 1")
    page.get_by_role("radio", name="steps").click()
    page.wait_for_function(f"() => {MAP}._fullData.some((trace) => trace.name === '3')")
    assert page.evaluate(f"{MAP}.querySelector('canvas.gl-canvas').mark") == 1


def test_a_point_shows_its_text_as_text_and_a_click_its_ring(open_map: Open) -> None:
    page = open_map()
    x, y = point_at(page, 14)
    bubble = page.locator(".st-key-map .atlas-hover")
    expect(bubble).to_contain_text("<img src=x")
    expect(bubble).to_contain_text("train-14, split: test")
    page.mouse.click(x, y)
    expect(page.get_by_text("chosen 14")).to_be_visible()
    expect(page.locator(".st-key-map .atlas-ring")).to_be_visible()
    assert page.title() != "run"
    assert bubble.locator("img, b").count() == 0


def test_a_number_is_shown_with_its_unit(open_map: Open) -> None:
    page = open_map("colour=length")
    point_at(page, 7)
    expect(page.locator(".st-key-map .atlas-hover")).to_contain_text("question length: 11 words")


def test_what_the_legend_hides_does_not_hide_anything_in_other_colours(open_map: Open) -> None:
    page = open_map()
    page.locator(".st-key-map .legendtoggle").first.click()
    page.wait_for_function(f"() => {MAP}._fullData.some((trace) => trace.visible === 'legendonly')")
    page.get_by_role("radio", name="steps").click()
    page.wait_for_function(f"() => {MAP}._fullData.some((trace) => trace.name === '3')")
    assert page.evaluate(f"{MAP}._fullData.every((trace) => trace.visible === true)")


def test_three_dimensions_keep_their_camera_and_show_the_ring(open_map: Open) -> None:
    page = open_map("deep=1&labels=1")
    camera = f"{MAP}._fullLayout.scene._scene.getCamera().eye.x"
    page.wait_for_function(f"() => {MAP}._fullLayout.scene?._scene?.getCamera")
    at_first = page.evaluate(camera)
    box = page.locator(".st-key-map .js-plotly-plot").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 250)
    page.mouse.down()
    page.mouse.move(box["x"] + 420, box["y"] + 290, steps=4)
    page.mouse.up()
    page.wait_for_function(f"(before) => {camera} !== before", arg=at_first)
    wait_for_rest(page, camera)
    turned = page.evaluate(camera)
    page.get_by_role("radio", name="steps").click()
    page.wait_for_function(f"() => {MAP}._fullData.some((trace) => trace.name === '3')")
    assert page.evaluate(camera) == pytest.approx(turned)
    expect(page.locator(".st-key-map .atlas-names text").first).to_have_text("topic 0")
    assert page.evaluate(f"{LABELS}.length") > 0


def test_labels_never_overlap_and_leave_the_lasso_alone(open_map: Open) -> None:
    page = open_map("labels=1&density=1")
    assert page.evaluate(f"{LABELS}.length") == 6
    assert page.evaluate(f"new Set({LABELS}.map((t) => getComputedStyle(t).fill)).size") == 6  # each in its cluster's colour
    boxes = page.evaluate(f"{LABELS}.map((t) => t.getBoundingClientRect()).map((b) => [b.left, b.right, b.top, b.bottom])")
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            assert one[1] < other[0] or other[1] < one[0] or one[3] < other[2] or other[3] < one[2]
    assert page.locator(".st-key-map .atlas-contours path").count() == 5
    assert lasso(page) > 0


def test_the_figure_and_the_texts_are_fetched_once(open_map: Open) -> None:
    page = open_map("points=5000")
    fetched = []
    page.on("request", lambda request: fetched.append(request.url) if ".json.gz" in request.url else None)
    lasso(page)
    page.get_by_role("radio", name="steps").click()
    page.wait_for_function(f"() => {MAP}._fullData.some((trace) => trace.name === '3')")
    page.get_by_role("radio", name="split").click()
    page.wait_for_function(f"() => {MAP}._fullData.some((trace) => trace.name === 'test')")
    assert len(fetched) == 1  # the figure by steps


def test_a_bar_tells_its_category(open_map: Open) -> None:
    page = open_map()
    page.locator(".st-key-steps").scroll_into_view_if_needed()
    bar = page.locator(".st-key-steps .bars path").nth(1).bounding_box()
    assert bar is not None
    x, y = bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2
    page.mouse.move(x - 2, y)
    page.mouse.click(x, y)
    expect(page.get_by_text("category 3")).to_be_visible()
