"""The examples of docs/examples are read and used as their README says."""

from pathlib import Path

from training.data.problems import load_problems
from training.rewards import REWARDS
from training.rewards.own import register_own_rewards

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples"


def test_every_row_of_the_own_data_set_is_a_problem() -> None:
    problems = load_problems(str(EXAMPLES / "own-data"))
    assert problems.rejected == ()
    assert (len(problems.of_split("train")), len(problems.of_split("test"))) == (6, 2)


def test_the_own_reward_function_pays_what_it_says() -> None:
    known = set(REWARDS)
    register_own_rewards(EXAMPLES / "own_rewards.py")
    try:
        brief = REWARDS["brief"]
        assert brief.score_all(["in a few words", "word " * 41], ["18", "18"]) == [brief.maximum, 0.0]
    finally:
        for name in set(REWARDS) - known:
            del REWARDS[name]
