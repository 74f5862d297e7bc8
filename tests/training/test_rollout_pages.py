"""Pages of rollouts, on a real SQLite file."""

import pytest

from training.doctor.examination import examine
from training.groups import Rollout
from training.insight.rollout_pages import Asked, Key, rollout_page, step_with_rollouts
from training.store import Store

pytestmark = pytest.mark.both_databases


def rollout(step: int, position: int) -> Rollout:
    """Position 0 is right, 1 wrong, 2 cut off, 3 not scorable."""
    right = [1.0, 0.0, 0.0, None][position]
    text = f"<answer>{step}%_{position}</answer>"
    reason = "length" if position == 2 else "stop"
    return Rollout(step, 0, position, "train-0", text, {"correctness": right, "integer": right and 0.25}, right, 0.0, 9, reason)


@pytest.fixture
def run_id(store: Store) -> str:
    run_id = store.create_job("train", "demo", {})[0].id
    other = store.create_job("train", "demo", {"seed": 1})[0].id
    store.record(other, rollouts=[rollout(step, 0) for step in range(1, 16)])
    store.record(run_id, rollouts=[rollout(step, position) for step in range(1, 31) for position in range(4)])
    store.record(other, rollouts=[rollout(step, 0) for step in range(16, 31)])
    return run_id


def turned(store: Store, run_id: str, asked: Asked, **limits: int) -> list[list[Rollout]]:
    """The rollouts of all pages, page by page."""
    pages: list[list[Rollout]] = []
    after: Key | None = None
    while not pages or after is not None:
        page = rollout_page(store, run_id, asked, after, **limits)
        pages.append(list(page.rollouts))
        after = page.following
    return pages


def test_pages_hold_every_rollout_once_the_latest_step_first(store: Store, run_id: str) -> None:
    pages = turned(store, run_id, Asked(), size=24)
    assert [len(page) for page in pages] == [24] * 5 + [0]
    found = [rollout for page in pages for rollout in page]
    assert found == store.rollouts(run_id)[::-1]


@pytest.mark.parametrize(("order", "first"), [("best", 1.0), ("worst", 0.0)])
def test_pages_by_total_go_on_within_equal_totals(store: Store, run_id: str, order: str, first: float) -> None:
    found = [r for page in turned(store, run_id, Asked(order=order), size=7) for r in page]  # type: ignore[arg-type]
    assert len({(r.step, r.position) for r in found}) == len(found) == 90
    assert [r.total for r in found] == sorted((r.total for r in found), reverse=order == "best")
    assert found[0].total == first


@pytest.mark.parametrize(
    ("asked", "positions", "count"),
    [
        (Asked(verdict="right"), {0}, 30),
        (Asked(verdict="wrong"), {1, 2}, 60),
        (Asked(verdict="cut off"), {2}, 30),
        (Asked(text="%_1"), {1}, 30),
        (Asked(text="<ANSWER>7%_"), {0, 1, 2, 3}, 4),
        (Asked(text="%1"), set(), 0),
        (Asked(reward="correctness", level="full"), {0}, 30),
        (Asked(reward="integer", level="part"), {0}, 30),
        (Asked(reward="integer", level="none"), {1, 2}, 60),
        (Asked(reward="integer", level="unscored"), {3}, 30),
        (Asked(reward="integer"), {0, 1, 2, 3}, 120),
        (Asked(verdict="right", text="1", order="worst"), {0}, 12),
    ],
)
def test_rollouts_are_found_by_text_outcome_and_reward(
    store: Store, run_id: str, asked: Asked, positions: set[int], count: int
) -> None:
    found = [rollout for page in turned(store, run_id, asked) for rollout in page]
    assert ({rollout.position for rollout in found}, len(found)) == (positions, count)


@pytest.mark.parametrize("order", ["newest", "best", "worst"])
def test_a_page_looks_at_so_many_rollouts_and_the_next_goes_on_there(store: Store, run_id: str, order: str) -> None:
    asked = Asked(text=">30%_0", order=order)  # type: ignore[arg-type]
    page = rollout_page(store, run_id, Asked(text="nowhere"), scanned=50)
    assert (page.rollouts, page.cut_short) == ((), True)
    pages = turned(store, run_id, asked, scanned=13)
    assert sum(map(len, pages)) == 1
    assert len(pages) > 5


def test_the_step_before_stands_in_for_one_without_rollouts(store: Store, run_id: str) -> None:
    assert [step_with_rollouts(store, run_id, step) for step in (0, 7, 99)] == [1, 7, 30]
    assert step_with_rollouts(store, "nobody", 3) is None


def test_a_long_run_is_examined_on_steps_evenly_apart_up_to_the_one_asked_for(store: Store, run_id: str) -> None:
    assert examine(store, run_id, 30).steps == 30
    sampled = examine(store, run_id, 28, examined=50)
    assert (sampled.on_record, sampled.steps) == (28, 10)
    assert max(row.step for finding in sampled.findings.values() for row in finding.evidence) == 28
