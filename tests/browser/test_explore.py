"""Explore in Chromium on the demo: the map is there, takes lasso and clicks, and never loses its view."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from analysis.atlas import AtlasParameters, open_atlas
from analysis.cache import Cache
from analysis.projector import export_projector
from tests.browser.conftest import ACTION_TIMEOUT_MS, DRAG_LAYER, MAP, drag_lasso, point_at, wait_for_rest
from training.data.problems import load_problems
from training.home import Home

pytestmark = pytest.mark.browser

Scheme = Literal["light", "dark"]
RANGES = f"[...{MAP}._fullLayout.xaxis.range, ...{MAP}._fullLayout.yaxis.range]"


def click_a_point(page: Page) -> None:
    page.mouse.click(*point_at(page, page.evaluate(f"{MAP}._fullData[0].customdata[0]")))


def colour_by(page: Page, name: str) -> None:
    page.get_by_role("combobox", name="Colour by").click()
    page.get_by_role("option", name=name, exact=True).click()


def ranges(page: Page) -> Any:
    return page.evaluate(RANGES)


def selected(page: Page) -> int:
    """How many points the map itself shows as selected."""
    return int(page.evaluate(f"{MAP}._fullData.reduce((sum, trace) => sum + (trace.selectedpoints?.length ?? 0), 0)"))


def test_the_map_has_a_point_for_each_problem(explore: Page) -> None:
    points = explore.evaluate(f"{MAP}._fullData.reduce((sum, trace) => sum + trace.x.length, 0)")
    expect(explore.get_by_text(f"All {points:,} problems", exact=False)).to_be_visible()


def test_a_lasso_fills_the_table_and_other_colours_keep_it(explore: Page) -> None:
    drag_lasso(explore)
    line = explore.get_by_text(re.compile(r"^[\d,]+ selected, \d"))
    expect(line).to_be_visible()
    said = line.inner_text()
    assert selected(explore) == int(said.split()[0].replace(",", "")) > 0
    colour_by(explore, "Steps")
    explore.wait_for_function(f"() => {MAP}._fullData.some((trace) => trace.name === '3')")
    expect(explore.get_by_text(said)).to_be_visible()
    assert selected(explore) == int(said.split()[0].replace(",", ""))


def test_clearing_the_selection_clears_it_on_the_map(explore: Page) -> None:
    drag_lasso(explore)
    explore.get_by_role("button", name="Clear selection").click()
    expect(explore.get_by_text("Draw a lasso to select", exact=False)).to_be_visible()
    explore.wait_for_function(f"() => {MAP}._fullData.every((trace) => !trace.selectedpoints)")


def test_a_clicked_point_shows_its_problem_with_the_lasso_still_on(explore: Page) -> None:
    click_a_point(explore)
    expect(explore.get_by_text("Nearest problems")).to_be_visible()
    explore.wait_for_function(f"() => {MAP}.atlas.chosen !== null")
    question = explore.evaluate(f"{MAP}.atlas.texts.texts[{MAP}.atlas.chosen]")
    expect(explore.locator(".st-key-problem_panel")).to_contain_text(question.removesuffix("…").strip())
    expect(explore.locator(".st-key-map .atlas-ring")).to_be_visible()


def test_choosing_and_colouring_never_move_the_view(explore: Page) -> None:
    box = explore.locator(DRAG_LAYER).first.bounding_box()
    assert box is not None
    at_first = ranges(explore)
    explore.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    explore.keyboard.down("Control")
    explore.mouse.wheel(0, -300)
    explore.keyboard.up("Control")
    explore.wait_for_function(f"(before) => {MAP}._fullLayout.xaxis.range[0] !== before", arg=at_first[0])
    wait_for_rest(explore, RANGES)  # plotly waits for the wheel to rest before it redraws
    zoomed = ranges(explore)
    colour_by(explore, "Steps")
    explore.wait_for_function(f"() => {MAP}._fullData.some((trace) => trace.name === '3')")
    assert ranges(explore) == pytest.approx(zoomed)
    drag_lasso(explore)
    expect(explore.get_by_text(re.compile(r"^[\d,]+ selected, \d"))).to_be_visible()
    assert ranges(explore) == pytest.approx(zoomed)


def test_a_pasted_link_shows_the_same(app: str, page: Page) -> None:
    page.goto(f"{app}/?problem=test-0&colour=steps")
    expect(page.locator(".st-key-problem_panel")).to_contain_text("test-0")
    page.wait_for_function(f"() => {MAP}?._fullData?.some((trace) => trace.name === '3')")
    expect(page.locator(".st-key-map .atlas-ring")).to_be_visible()


def test_a_finding_leads_to_the_map(app: str, page: Page) -> None:
    page.goto(f"{app}/insights")
    page.get_by_role("button", name="Show the steps on the map").click()
    page.wait_for_function(f"() => {MAP}?._fullData?.some((trace) => trace.name === '3')")
    page.wait_for_url("**colour=steps**")


def test_the_export_downloads_the_files_that_the_terminal_writes(explore: Page, tmp_path: Path) -> None:
    explore.get_by_role("button", name="Export").click()
    with explore.expect_download() as download:
        explore.get_by_role("button", name="Embedding Projector").click()
    assert download.value.suggested_filename.endswith("-projector.zip")
    cache = Cache.from_home(Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path)}))
    atlas = open_atlas(load_problems("demo"), AtlasParameters(), cache)
    assert atlas is not None
    written = {file.name: file.read_bytes() for file in export_projector(atlas, tmp_path / "out")}
    with zipfile.ZipFile(download.value.path()) as files:
        assert {name: files.read(name) for name in files.namelist()} == written


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_map_as_one_file_is_read_without_the_program(app: str, chromium: Browser, tmp_path: Path, scheme: Scheme) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{app}/?colour=cluster")
    expect(page.locator(DRAG_LAYER).first).to_be_visible(timeout=ACTION_TIMEOUT_MS)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="The map as one HTML file").click()
    assert download.value.suggested_filename == "Demo-all-2400-problems-map.html"
    download.value.save_as(tmp_path / "map.html")
    alone, asked = context.new_page(), []
    alone.on("request", lambda request: asked.append(request.url) if request.url.startswith("http") else None)
    alone.goto((tmp_path / "map.html").as_uri())
    alone.wait_for_function("() => document.querySelector('.atlas-plot')?._fullData?.[0]?.x.length === 2400")
    assert alone.locator(".atlas-names text").count() > 10
    alone.get_by_label("Search").fill("garden flowers")
    expect(alone.locator("#found")).to_have_text(re.compile(r"^[1-9]\d* of 2,400$"))
    found = int(alone.locator("#found").inner_text().split()[0])
    alone.wait_for_function("(n) => document.querySelector('.atlas-plot')._fullData[0].selectedpoints?.length === n", arg=found)
    ground = alone.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 28)"}[scheme]
    assert asked == []
    context.close()


def test_a_table_s_menu_lies_within_the_table(explore: Page) -> None:
    table = explore.locator(".st-key-table [data-testid='stDataFrame']").first
    table.scroll_into_view_if_needed()
    table.hover()
    menu = explore.locator(".st-key-table [data-testid='stElementToolbar']").first
    expect(menu).to_be_visible()
    menu_box, table_box = menu.bounding_box(), table.bounding_box()
    assert menu_box is not None
    assert table_box is not None
    assert menu_box["y"] >= table_box["y"]


def test_the_exported_table_names_what_it_holds(app: str, page: Page) -> None:
    page.goto(f"{app}/?split=test&steps=2")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Table with the map's columns, Parquet").click()
    table = pd.read_parquet(download.value.path())
    assert download.value.suggested_filename == f"Demo-split-test-steps-2-{len(table)}-problems-table.parquet"
    assert set(table["split"]) == {"test"}
    assert set(table["steps"]) == {2}
    assert {"x", "y", "cluster_name", "nearest", "nearest_cosine"} <= set(table.columns)


def test_a_lasso_shows_what_it_took_with_a_problem_chosen(app: str, page: Page) -> None:
    page.goto(f"{app}/?problem=test-0")
    expect(page.locator(".st-key-map .atlas-ring")).to_be_visible()
    drag_lasso(page)
    line = page.get_by_text(re.compile(r"^[\d,]+ selected, \d"))
    expect(line).to_be_visible()
    assert selected(page) == int(line.inner_text().split()[0].replace(",", ""))


def test_gsm8k_has_the_same_map(start_app: Callable[..., str], gsm8k_home: Home, page: Page) -> None:
    page.goto(start_app(gsm8k_home.root, GRPO_ATLAS_DATA=str(gsm8k_home.data)))
    expect(page.locator(DRAG_LAYER).first).to_be_visible()
    page.wait_for_function(f"() => {MAP}?._fullData?.reduce((sum, trace) => sum + trace.x.length, 0) === 8792")
    drag_lasso(page)
    expect(page.get_by_text(re.compile(r"[\d,]+ selected, \d+% test"))).to_be_visible()
    assert selected(page) > 100
