"""Ways to look at the map in Chromium: names that light up, fitting, full screen, pictures, pairs, and a wheel that scrolls."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import MAP
from tests.browser.test_plot import LABELS, SELECTED, Open, open_map, plot_app, said

__all__ = ["open_map", "plot_app"]

pytestmark = pytest.mark.browser

FILLS = f"(height) => {MAP}.clientHeight > 0.7 * height && {MAP}._fullLayout.height === {MAP}.clientHeight"
HEIGHT = f"({MAP}._fullLayout.yaxis.range[1] - {MAP}._fullLayout.yaxis.range[0])"
SPAN = f"({MAP}._fullLayout.xaxis.range[1] - {MAP}._fullLayout.xaxis.range[0])"
RANGE = f"[...{MAP}._fullLayout.xaxis.range, ...{MAP}._fullLayout.yaxis.range]"
TWO_LINES = re.compile(r"^M[^ML]+L[^ML]+M[^ML]+L[^ML]+$")
SVG = "{http://www.w3.org/2000/svg}"


def name_place(page: Page, text: str) -> tuple[float, float]:
    """The middle of a cluster's name in the page."""
    box = page.evaluate(f"(text) => {LABELS}.find((t) => t.textContent === text).getBoundingClientRect().toJSON()", text)
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def press(page: Page, title: str) -> None:
    """A button of the map's own bar."""
    page.locator(f".st-key-map .modebar-btn[data-title='{title}']").click()


def test_a_name_under_the_pointer_lights_up_its_cluster(open_map: Open) -> None:
    page = open_map("labels=1&colour=cluster")
    lit = page.locator(".st-key-map .atlas-lit")
    expect(lit).to_be_hidden()
    page.mouse.move(*name_place(page, "topic 2"))
    expect(lit).to_be_visible()
    page.mouse.move(2, 2)
    expect(lit).to_be_hidden()


def test_a_click_on_a_name_selects_its_cluster(open_map: Open) -> None:
    page = open_map("labels=1&colour=cluster&points=600")
    page.mouse.move(*name_place(page, "topic 3"))
    page.mouse.click(*name_place(page, "topic 3"))
    assert said(page) == 100
    page.wait_for_function(f"() => {SELECTED} === 100")


def test_only_clusters_with_hits_are_named(open_map: Open) -> None:
    page = open_map("labels=1&points=600")
    page.mouse.click(*name_place(page, "topic 3"))
    assert said(page) == 100
    page.wait_for_function(f"() => {LABELS}.map((t) => t.textContent).join() === 'topic 3'")


def test_the_wheel_scrolls_the_page_and_zooms_with_control_or_after_a_click(open_map: Open) -> None:
    page = open_map()
    box = page.locator(".st-key-map .js-plotly-plot").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    before = page.evaluate(RANGE)
    page.mouse.move(*middle)
    page.mouse.wheel(0, 200)
    page.wait_for_function("() => document.querySelector('.stMain').scrollTop > 0")
    assert page.evaluate(RANGE) == before
    page.evaluate("document.querySelector('.stMain').scrollTo(0, 0)")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_function(f"(before) => {MAP}._fullLayout.xaxis.range[0] > before", arg=before[0])
    zoomed = page.evaluate(RANGE)
    page.mouse.click(*middle)
    page.mouse.wheel(0, -200)
    page.wait_for_function(f"(before) => {MAP}._fullLayout.xaxis.range[0] > before", arg=zoomed[0])


def test_the_main_body_can_be_fitted_and_so_can_what_stands_out(open_map: Open) -> None:
    page = open_map("island=1&labels=1&points=600")
    whole = page.evaluate(SPAN)
    press(page, "Fit the main body, without islands")
    page.wait_for_function(
        f"(whole) => {MAP}._fullLayout.xaxis.range[1] - {MAP}._fullLayout.xaxis.range[0] < whole / 2", arg=whole
    )
    body = page.evaluate(HEIGHT)
    page.mouse.click(*name_place(page, "topic 3"))
    assert said(page) == 100
    press(page, "Zoom to what stands out")
    page.wait_for_function(f"(body) => {HEIGHT} < body", arg=body)
    places = page.evaluate(f"{MAP}._fullData.flatMap((t) => (t.selectedpoints || []).map((i) => [t.x[i], t.y[i]]))")
    left, right, low, high = page.evaluate(RANGE)
    assert all(left < x < right and low < y < high for x, y in places)


def test_the_map_fills_the_screen_and_comes_back(open_map: Open) -> None:
    page = open_map()
    press(page, "Full screen")
    page.wait_for_function("() => document.fullscreenElement !== null")
    page.wait_for_function(FILLS, arg=page.evaluate("innerHeight"))
    press(page, "Full screen")
    page.wait_for_function("() => document.fullscreenElement === null")
    page.wait_for_function(f"() => {MAP}._fullLayout.height === 500")


def test_the_map_fills_the_window_where_the_screen_is_refused(open_map: Open, page: Page) -> None:
    page.add_init_script("Element.prototype.requestFullscreen = () => Promise.reject(new Error('refused'))")
    open_map()
    press(page, "Full screen")
    page.wait_for_function(FILLS, arg=page.evaluate("innerHeight"))
    page.locator(".st-key-map .js-plotly-plot").hover()
    page.keyboard.press("Escape")
    page.wait_for_function(f"() => {MAP}._fullLayout.height === 500")


def picture(page: Page, title: str) -> tuple[str, Path]:
    with page.expect_download() as download:
        press(page, title)
    return download.value.suggested_filename, Path(download.value.path())


def test_a_picture_as_svg_has_every_point_and_the_names(open_map: Open) -> None:
    page = open_map("labels=1&density=1&points=600")
    name, file = picture(page, "Picture as SVG")
    assert name == "problems.svg"
    root = ElementTree.parse(file).getroot()
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert {f"topic {number}" for number in range(6)} <= texts
    points = [path for path in root.iter(f"{SVG}path") if "point" in path.get("class", "")]
    assert len(points) == 600


def test_a_picture_as_png_has_the_page_s_background_and_points(open_map: Open) -> None:
    page = open_map("labels=1&points=600")
    name, file = picture(page, "Picture as PNG")
    assert name == "problems.png"
    with Image.open(file) as image:
        width, height = page.evaluate(f"[{MAP}.clientWidth, {MAP}.clientHeight]")
        assert image.size == (2 * width, 2 * height)
        shown = image.convert("RGB")
        assert shown.getpixel((1, 1)) == (255, 255, 255)
        assert len(shown.getcolors(maxcolors=1 << 24)) > 10


def test_pairs_are_lines_between_their_points(open_map: Open) -> None:
    page = open_map("pairs=1")
    expect(page.locator(".st-key-map .atlas-pairs")).to_have_attribute("d", TWO_LINES)
    start, point = page.evaluate(
        f"""() => {{
            const line = document.querySelector(".st-key-map .atlas-pairs"), place = line.getPointAtLength(0);
            const start = new DOMPoint(place.x, place.y).matrixTransform(line.getScreenCTM());
            const map = {MAP}, {{ xaxis, yaxis }} = map._fullLayout, {{ left, top }} = map.getBoundingClientRect();
            const trace = map._fullData.find(({{ customdata }}) => customdata.includes(0)), at = trace.customdata.indexOf(0);
            const point = [left + xaxis._offset + xaxis.l2p(trace.x[at]), top + yaxis._offset + yaxis.l2p(trace.y[at])];
            return [[start.x, start.y], point];
        }}"""
    )
    assert start == pytest.approx(point, abs=1.5)
