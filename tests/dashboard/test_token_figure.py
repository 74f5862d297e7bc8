"""Scored tokens for the page: colours that can be read and told apart, scales that fit, the table, what changed most."""

import itertools
import json
import re

import pytest

from dashboard import token_figure
from dashboard.token_figure import MEASURES, SHADES, limit, luminance, most_changed, scale, text_spec, token_table
from training.tokens.scores import Measured, Scored


def measured(logprob: list[float | None], entropy: float = 1.0) -> Measured:
    number = len(logprob)
    return Measured(logprob=logprob, entropy=[entropy] * number, likeliest=["x"] * number, likeliest_logprob=[-0.1] * number)


def scored(
    mine: list[float | None], other: list[float | None], texts: list[str] | None = None, *, ended: bool = False
) -> Scored:
    texts = texts or ["a"] * len(mine)
    return Scored(
        ids=list(range(len(mine))),
        texts=texts,
        parts=[(1, 1)] * len(mine),
        ended=ended,
        model=measured(mine),
        against=measured(other),
        kl=[0.2] * len(mine),
    )


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2 defines it."""
    values = sorted(luminance(numbers(colour)) for colour in (one, other))
    return (values[1] + 0.05) / (values[0] + 0.05)


def numbers(colour: str) -> list[int]:
    if colour.startswith("#"):
        return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return [int(part) for part in re.findall(r"\d+", colour)]


@pytest.mark.parametrize(("name", "dark"), list(itertools.product(MEASURES, (False, True))))
def test_text_on_every_colour_can_be_read(name: str, dark: bool) -> None:
    shades = scale(MEASURES[name], dark=dark)  # type: ignore[index]
    assert len(shades) == SHADES
    assert min(contrast(background, ink) for background, ink in shades) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
def test_colour_leaves_the_page_behind_as_values_grow(dark: bool) -> None:
    """Told apart by lightness alone, as by those who see no hues."""
    lightness = [luminance(numbers(background)) for background, _ in scale(MEASURES["kl"], dark=dark)]
    assert lightness == sorted(lightness, reverse=not dark)
    assert abs(lightness[-1] - lightness[0]) > 0.6


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_has_no_colour_and_signs_have_two(dark: bool) -> None:
    paper = [20, 24, 28] if dark else [255, 255, 255]
    assert numbers(scale(MEASURES["entropy"], dark=dark)[0][0]) == paper
    shades = [numbers(background) for background, _ in scale(MEASURES["ratio"], dark=dark)]
    assert max(abs(one - two) for one, two in zip(shades[SHADES // 2], paper, strict=True)) < 16
    assert shades[0] != shades[-1]


def test_a_scale_ends_where_most_coloured_tokens_lie_and_never_below_what_rounding_makes() -> None:
    assert limit(MEASURES["logprob"], [scored([-0.001] * 90 + [-2.0] * 9 + [-30.0], [-1.0] * 100)]) == pytest.approx(4.8)
    assert limit(MEASURES["logprob"], [scored([-4.123], [-1.0])]) == pytest.approx(4.2)
    assert limit(MEASURES["ratio"], [scored([-1.0], [-1.0 + 1e-7])]) == 0.05
    assert limit(MEASURES["logprob"], [scored([None], [None])]) == 0.5
    assert limit(MEASURES["ratio"], [scored([], [])]) == 0.05


def test_the_browser_gets_every_value_once_and_nothing_that_is_no_json() -> None:
    found = scored([-1.23456, None], [-1.0, -2.0], ["<b>", ""], ended=True)
    (text,) = json.loads(text_spec([found]).json)
    assert text["texts"] == ["<b>", ""]
    assert text["shown"] == ["<b>", "end of turn"]
    assert text["values"]["logprob"] == [-1.235, None]
    assert text["values"]["ratio"] == [-0.2346, None]
    assert set(text["values"]) == set(MEASURES)


def test_the_table_shows_spaces_and_line_breaks() -> None:
    table = token_table([scored([-1.0, -2.0], [-1.5, -1.0], [" a", "\n"]), scored([-1.0], [-1.0])], ["one", "two"])
    assert table["token"].tolist() == ['" a"', '"\\n"', '"a"']
    assert table["place"].tolist() == [1, 2, 1]
    assert table["completion"].tolist() == ["one", "one", "two"]
    assert table["ratio"].tolist() == [0.5, -1.0, 0.0]


def test_what_changed_most_leaves_out_what_hardly_did() -> None:
    found = scored([-1.0, -1.0, -3.0, None, -1.0], [-2.0, -1.01, -1.0, -1.0, -1.5])
    assert most_changed(found) == ([0, 4], [2])
    assert most_changed(found, most=1) == ([0], [2])


def test_a_token_is_written_so_that_it_is_seen() -> None:
    assert token_figure.written(" \u20ac\n") == '" \u20ac\\n"'
