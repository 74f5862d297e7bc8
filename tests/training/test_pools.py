"""Difficulty pools against scipy's posterior, and the draw of a step's problems."""

import json
from collections import Counter
from collections.abc import Iterable

import pytest
from scipy.stats import beta

from training.groups import Group, Rollout, Verifier
from training.sampling.draw import ProblemDraw, Rules
from training.sampling.pools import POOLS, Limits, Outcome, Pool, Standing, outcome_of

VERIFIER = Verifier()
LIMITS = Limits()


def group(problem_id: str, right: int, wrong: int = 0, unjudged: int = 0, step: int = 1) -> Group:
    values = [1.0] * right + [0.0] * wrong + [None] * unjudged
    return Group(
        step,
        0,
        tuple(
            Rollout(step, 0, place, problem_id, "", {"correctness": value}, value, 0.0, 1, "stop")
            for place, value in enumerate(values)
        ),
    )


def pool_of(*outcomes: tuple[float, float]) -> Pool:
    standing = Standing(["a"], LIMITS, [Outcome("a", right, judged) for right, judged in outcomes])
    return POOLS[int(standing.pools[0])]


@pytest.mark.parametrize("judged", [1, 2, 4, 8, 16, 64, 512])
def test_a_problem_is_in_the_pool_that_the_posterior_of_jeffreys_prior_says(judged: int) -> None:
    for right in range(judged + 1):
        posterior = beta(right + 0.5, judged - right + 0.5)
        expected = "too_hard" if posterior.cdf(0.1) >= 0.5 else "mastered" if posterior.sf(0.9) >= 0.5 else "learning"
        assert pool_of((right, judged)) == expected, (right, judged)


def test_a_later_group_weighs_twice_what_the_one_before_does() -> None:
    standing = Standing(["a", "b"], LIMITS)
    standing.learn([Outcome("a", 8, 8)])
    standing.learn([Outcome("a", 0, 8), Outcome("elsewhere", 1, 1)])
    assert (standing.right[0], standing.judged[0]) == (4, 12)
    assert standing.sizes() == {"not_met": 1, "too_hard": 0, "learning": 1, "mastered": 0}


def test_what_was_not_judged_says_nothing() -> None:
    assert outcome_of(group("a", 1, 2, unjudged=5), VERIFIER) == Outcome("a", 1, 3)
    standing = Standing(["a"], LIMITS)
    standing.learn([outcome_of(group("a", 0, 0, unjudged=4), VERIFIER)])
    assert standing.sizes()["not_met"] == 1


def draw_of(count: int, shares: dict[Pool, float] | None = None, known: Iterable[Outcome] = (), **rules: int) -> ProblemDraw:
    return ProblemDraw([f"p{row}" for row in range(count)], Rules(shares or {}, LIMITS, **rules), VERIFIER, seed=7, known=known)


def test_drawn_alike_every_problem_comes_once_before_any_comes_again() -> None:
    draw = draw_of(10)
    rows = [row for step in range(1, 11) for row in draw.draw(4, step)]
    for begin in range(0, 40, 10):
        # A step in which a pass ends takes its rest first, then of the next pass.
        assert Counter(rows[: begin + 10]).most_common()[0][1] <= begin // 10 + 2
    assert set(Counter(rows).values()) == {4}
    assert rows[:10] != rows[10:20]


def test_a_step_has_no_problem_twice_and_fewer_where_no_more_are_left() -> None:
    draw = draw_of(5)
    first = draw.draw(3, 1)
    assert len({*first, *draw.draw(3, 1, without=first)}) == 5
    assert draw.draw(3, 1, without=range(5)) == []


FOUR: dict[Pool, float] = {"not_met": 0.4, "learning": 0.3, "too_hard": 0.2, "mastered": 0.1}


def known_of(sizes: dict[Pool, int]) -> tuple[int, list[Outcome]]:
    outcomes = {"too_hard": (0, 8), "learning": (4, 8), "mastered": (8, 8)}
    names = [pool for pool, size in sizes.items() for _ in range(size)]
    return len(names), [Outcome(f"p{row}", *outcomes[pool]) for row, pool in enumerate(names) if pool != "not_met"]


def drawn_pools(draw: ProblemDraw, count: int, steps: int) -> Counter[Pool]:
    return Counter(draw.pool_of(row) for step in range(1, steps + 1) for row in draw.draw(count, step))


def test_pools_are_drawn_from_by_their_shares() -> None:
    count, known = known_of({"not_met": 50, "learning": 50, "too_hard": 50, "mastered": 50})
    found = drawn_pools(draw_of(count, FOUR, known), 5, 200)
    assert {pool: found[pool] / 1000 for pool in POOLS} == pytest.approx(FOUR, abs=0.01)


def test_the_share_of_an_empty_pool_goes_to_the_others() -> None:
    count, known = known_of({"not_met": 0, "learning": 40, "too_hard": 40, "mastered": 0})
    found = drawn_pools(draw_of(count, FOUR, known), 5, 200)
    assert found["learning"] / 1000 == pytest.approx(0.6, abs=0.01)


def test_a_pool_with_fewer_problems_than_its_share_leaves_the_rest_to_the_others() -> None:
    count, known = known_of({"not_met": 1, "learning": 2, "too_hard": 0, "mastered": 30})
    draw = draw_of(count, {"learning": 1.0}, known)
    pools = Counter(draw.pool_of(row) for row in draw.draw(10, 1))
    assert pools["learning"] == 2
    assert sum(pools.values()) == 10  # pools without a share come in only when nothing else is left


def test_within_a_pool_those_that_were_not_drawn_for_longest_come_first() -> None:
    count, known = known_of({"not_met": 0, "learning": 6, "too_hard": 0, "mastered": 0})
    draw = draw_of(count, {"learning": 1.0}, known)
    steps = [set(draw.draw(2, step)) for step in range(1, 7)]
    assert steps[0] | steps[1] | steps[2] == set(range(6))
    assert steps[3:] == steps[:3]


def test_before_the_pools_are_used_all_problems_are_drawn_alike() -> None:
    count, known = known_of({"not_met": 5, "learning": 0, "too_hard": 0, "mastered": 5})
    draw = draw_of(count, {"not_met": 1.0}, known, warmup_steps=2)
    assert {*draw.draw(5, 1), *draw.draw(5, 2)} == set(range(10))
    assert {draw.pool_of(row) for row in draw.draw(5, 3)} == {"not_met"}


def test_a_draw_goes_on_from_its_state_as_one_that_was_not_interrupted() -> None:
    count, known = known_of({"not_met": 20, "learning": 5, "too_hard": 5, "mastered": 5})
    whole, resumed = draw_of(count, FOUR, known), draw_of(count, FOUR)

    def go_on(draw: ProblemDraw, step: int) -> list[int]:
        rows = draw.draw(4, step)
        draw.learn(group(f"p{row}", row % 3, 2 - row % 3) for row in rows)
        return rows

    for step in range(1, 6):
        go_on(whole, step)
    resumed.restore(json.loads(json.dumps(whole.state())))
    assert [go_on(resumed, step) for step in range(6, 20)] == [go_on(whole, step) for step in range(6, 20)]


def test_another_seed_draws_otherwise() -> None:
    rules = Rules({}, LIMITS)
    one, other = (ProblemDraw([f"p{row}" for row in range(50)], rules, VERIFIER, seed) for seed in (1, 2))
    assert one.draw(10, 1) != other.draw(10, 1)
