"""A run's colour: the same wherever it is drawn, told from its neighbours', and seen on both backgrounds."""

import itertools

from dashboard.run_colours import run_colour

IDS = [f"{name}-{number}" for name in ("demo", "gsm8k", "my run", "größe") for number in range(1, 80)]
BACKGROUNDS = ("#ffffff", "#14181c")


def channels(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))


def luminance(colour: str) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_a_runs_colour_follows_from_its_id_alone() -> None:
    assert run_colour("demo-3") == run_colour("demo-3") == "#82870c"
    assert all(len(run_colour(odd)) == 7 for odd in ("", "-", "7", "no number", "x-" + "9" * 40, "a\nb-2", "\ud800"))


def test_every_run_is_seen_on_light_and_dark() -> None:
    assert min(contrast(run_colour(run_id), background) for run_id in IDS for background in BACKGROUNDS) >= 3


def test_runs_of_one_name_are_told_apart() -> None:
    for first, second in itertools.combinations([run_colour(f"demo-{number}") for number in range(1, 11)], 2):
        assert sum((a - b) ** 2 for a, b in zip(channels(first), channels(second), strict=True)) > 0.015
    many = [run_colour(f"demo-{number}") for number in range(1, 60)]
    assert len(set(many)) == len(many)
