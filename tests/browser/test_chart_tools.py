"""What every chart offers, in Chromium: full screen, a logarithmic axis, and files that other programs can read."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import start_dashboard, stop

pytestmark = pytest.mark.browser

SCRIPT = Path(__file__).with_name("chart_app.py")
POINTS = ".st-key-some-points .atlas-chart"
BARS = ".st-key-bars .atlas-chart"
AXIS = f"document.querySelector('{POINTS}')._fullLayout.yaxis"
COVERS = "([selector]) => document.querySelector(selector).getBoundingClientRect().height === innerHeight"
Save = Callable[[Page, str], Path]


@pytest.fixture(scope="module")
def chart_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("chart")
    settings = {"STREAMLIT_SERVER_ADDRESS": "127.0.0.1", "STREAMLIT_SERVER_HEADLESS": "true"}
    process, address = start_dashboard(folder, folder / "log.txt", settings, SCRIPT)
    yield address
    stop(process)


@pytest.fixture
def charts(chart_app: str, page: Page) -> Page:
    page.goto(chart_app)
    expect(page.locator(f"{BARS} .atlas-tools")).to_be_attached()
    expect(page.locator(f"{POINTS} .atlas-tools")).to_be_attached()
    return page


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Saves the points as one of the menu's files."""

    def choose(page: Page, item: str) -> Path:
        open_menu(page.locator(POINTS))
        with page.expect_download() as download:
            page.get_by_role("menuitem", name=item).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        return path

    return choose


def open_menu(chart: Locator) -> None:
    chart.get_by_role("button", name="More for this chart").click()


def test_csv_has_every_point_with_its_interval_and_no_formula(charts: Page, save: Save) -> None:
    path = save(charts, "CSV")
    assert path.name == "some-points.csv"
    table = pd.read_csv(path)
    assert list(table.columns) == ["series", "tokens", "reward", "low", "high", "text"]
    assert table["series"].unique().tolist() == ["'=1+1,  bold"]
    assert table["tokens"].tolist() == [1, 10, 100]
    assert table["low"].tolist() == pytest.approx([0.3, 3, 30])
    assert table["high"].tolist() == pytest.approx([0.6, 6, 60])
    assert table["text"].tolist() == ["first", "-2", "'@SUM(A1)"]


def test_png_is_as_large_as_the_chart_twice_over_and_has_the_page_s_background(charts: Page, save: Save) -> None:
    content = save(charts, "PNG").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    box = charts.locator(POINTS).bounding_box()
    assert box is not None
    assert struct.unpack(">II", content[16:24]) == (2 * int(box["width"]), 2 * int(box["height"]))
    first = charts.evaluate(
        """async (bytes) => {
            const image = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
            const canvas = new OffscreenCanvas(image.width, image.height), context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            return [...context.getImageData(0, 0, 1, 1).data];
        }""",
        list(content),
    )
    assert first == [255, 255, 255, 255]


def test_svg_is_xml_with_the_title_of_the_axis(charts: Page, save: Save) -> None:
    root = ElementTree.fromstring(save(charts, "SVG").read_text())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "reward" in "".join(root.itertext())


def test_a_logarithmic_axis_is_kept_when_the_chart_has_more_to_show(charts: Page) -> None:
    for kind in ("log", "linear", "log"):
        open_menu(charts.locator(POINTS))
        charts.get_by_role("menuitemcheckbox", name="Logarithmic axis").click()
        charts.wait_for_function(f"(kind) => {AXIS}.type === kind", arg=kind)
    charts.get_by_text("More", exact=True).click()
    charts.wait_for_function(f"() => document.querySelector('{POINTS}').data.length === 2")
    assert charts.evaluate(f"{AXIS}.type") == "log"


def test_bars_have_no_logarithmic_axis(charts: Page) -> None:
    open_menu(charts.locator(BARS))
    expect(charts.get_by_role("menuitem", name="PNG")).to_be_visible()
    expect(charts.get_by_role("menuitemcheckbox")).to_have_count(0)


def test_the_menu_is_reached_and_left_by_keyboard(charts: Page) -> None:
    more = charts.locator(POINTS).get_by_role("button", name="More for this chart")
    charts.locator(POINTS).get_by_role("button", name="Full screen").focus()
    charts.keyboard.press("Tab")
    charts.keyboard.press("Enter")
    expect(charts.get_by_role("menuitemcheckbox", name="Logarithmic axis")).to_be_focused()
    charts.keyboard.press("ArrowUp")
    expect(charts.get_by_role("menuitem", name="CSV")).to_be_focused()
    charts.keyboard.press("Escape")
    expect(more).to_be_focused()
    expect(charts.get_by_role("menu")).to_have_count(0)


@pytest.mark.parametrize("refused", [False, True])
def test_full_screen_shows_the_chart_alone_until_escape(charts: Page, refused: bool) -> None:
    if refused:
        charts.evaluate("() => { Element.prototype.requestFullscreen = () => Promise.reject(new TypeError('refused')) }")
    before = charts.locator(POINTS).bounding_box()
    charts.locator(POINTS).get_by_role("button", name="Full screen").click()
    charts.wait_for_function(COVERS, arg=[POINTS])
    charts.wait_for_function(f"() => document.querySelector('{POINTS}')._fullLayout.height === innerHeight")
    assert charts.evaluate("Boolean(document.fullscreenElement)") is not refused
    charts.keyboard.press("Escape")
    charts.wait_for_function(f"() => document.querySelector('{POINTS}')._fullLayout.height === 240")
    assert charts.locator(POINTS).bounding_box() == before


def test_colours_are_lighter_on_a_dark_page(chart_app: str, page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(chart_app)
    expect(page.locator(f"{POINTS} .atlas-tools")).to_be_attached()
    assert page.evaluate(f"document.querySelector('{POINTS}').data[0].line.color") == "#3C9BE8"
