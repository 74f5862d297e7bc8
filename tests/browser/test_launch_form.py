"""Launch's presets and settings as they are seen, in small and large windows."""

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.browser.conftest import sideways

pytestmark = pytest.mark.browser

WIDTHS = (820, 1280, 1440, 1920, 2560)


def box_of(found: Locator) -> FloatRect:
    box = found.bounding_box()
    assert box is not None
    return box


def test_every_preset_and_field_can_be_read_and_reached(app: str, page: Page) -> None:
    page.goto(f"{app}/launch?all=True")
    expect(page.get_by_role("button", name="Launch the run")).to_be_enabled()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        require_in_reach(page, width)


def require_in_reach(page: Page, width: int) -> None:
    """Nothing of Launch is cut in a window of this width."""
    assert sideways(page) == 0
    for choice in page.locator(".st-key-gallery button:visible").all():
        box = box_of(choice)
        assert box["height"] < 40, "a name is never broken"
        assert box["x"] + box["width"] <= width
    for field in page.locator('.st-key-group-Size-of-the-run [data-testid="stNumberInputContainer"]').all():
        box, typed = box_of(field), box_of(field.locator("input"))
        assert typed["width"] > 40
        assert box["x"] + box["width"] <= width
    launch = page.get_by_role("button", name="Launch the run")
    assert box_of(launch)["y"] < 900, "the button is in sight before anything is scrolled"


def test_trls_names_stand_beside_the_titles_and_units_inside_the_fields(app: str, page: Page) -> None:
    page.goto(f"{app}/launch")
    unit = "(element) => getComputedStyle(element, '::after').content"
    steps = page.locator('.st-key-setting-max_steps [data-testid="stNumberInputContainer"]')
    expect(steps).to_be_visible()
    assert steps.evaluate(unit) == '"steps"'
    name = 'getComputedStyle(document.querySelector(".st-key-setting-max_steps label p"), "::after").content'
    page.wait_for_function(f"() => {name} === '\" max_steps\"'")  # Streamlit draws a label anew once its Markdown is loaded
    never = page.locator('.st-key-setting-evaluation_steps [data-testid="stNumberInputContainer"]')
    assert never.locator("input").get_attribute("placeholder") == "never"
    assert never.evaluate(unit) == "none"


def test_a_field_emptied_by_hand_means_none(app: str, page: Page) -> None:
    page.goto(f"{app}/launch")
    rank = page.get_by_role("spinbutton", name="LoRA rank")
    rank.fill("")
    rank.press("Tab")
    expect(page.get_by_text("1 setting differs from demo.")).to_be_visible()
    expect(rank).to_have_attribute("placeholder", "every weight")
    page.wait_for_url("**lora_rank%22%3A0**")
