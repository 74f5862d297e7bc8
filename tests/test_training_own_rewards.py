"""A person's own reward functions: from a file on this machine into the registry, and what is wrong is said."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile import NO_FILES
from training.errors import RewardError
from training.home import Home
from training.own_rewards import register_own_rewards
from training.presets import load_preset
from training.rewards import REWARDS, score_completion

FILE = """
from training.rewards import Reward

def brief(completion, gold):
    '''0.5 for at most twenty words.'''
    return 0.5 if len(completion.split()) <= 20 else 0.0

REWARDS = [Reward("brief", "Brief", 0.5, brief)]
"""


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    before = dict(REWARDS)
    yield
    REWARDS.clear()
    REWARDS.update(before)


def file_with(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


def test_own_functions_are_scored_configured_and_explained_like_the_others(tmp_path: Path) -> None:
    register_own_rewards(file_with(tmp_path, FILE))
    assert score_completion("short", "5")["brief"] == 0.5
    config = load_preset("demo", ["rewards.brief=2", "rewards.integer=1"])
    assert config.reward_weights == {"integer": 1, "brief": 2}
    assert config.maximum_reward == 1.5
    assert REWARDS["brief"].description == "0.5 for at most twenty words."


def test_registering_again_changes_nothing_and_no_file_is_no_error(tmp_path: Path) -> None:
    register_own_rewards(None)
    for _ in range(2):
        register_own_rewards(file_with(tmp_path, FILE))
    assert list(REWARDS)[-1] == "brief"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be run: FileNotFoundError"),
        ("REWARDS = [", "cannot be run: SyntaxError"),
        ("1 / 0", "cannot be run: ZeroDivisionError"),
        ("x = 1", "has no list REWARDS"),
        ("REWARDS = [3]", "has no list REWARDS"),
        (FILE.replace('"brief"', '"correctness"'), "names a reward 'correctness', which there is already"),
        (
            FILE.replace("brief)]", 'brief), Reward("brief", "B", 1.0, brief)]'),
            "names a reward 'brief', which there is already",
        ),
        (FILE.replace('"brief"', '"no name"'), "needs an identifier as its name"),
        (FILE.replace("0.5, brief", "0, brief"), "a maximum above 0"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_and_registers_nothing(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "mine.py" if text is None else file_with(tmp_path, text)
    before = list(REWARDS)
    with pytest.raises(RewardError, match=message) as raised:
        register_own_rewards(path)
    assert raised.value.remedy
    assert list(REWARDS) == before


def test_the_file_is_named_by_the_environment_and_handed_on_to_jobs(tmp_path: Path) -> None:
    path = file_with(tmp_path, FILE)
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path / "home"), "GRPO_ATLAS_REWARDS": str(path)})
    assert home.rewards == path
    assert Home.from_environment(home.environment()) == home


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_holds_no_rewards_and_nobody_waits_for_it(name: str, tmp_path: Path) -> None:
    NO_FILES[name](tmp_path / "rewards.py")
    with pytest.raises(RewardError, match=r"rewards\.py"):
        register_own_rewards(tmp_path / "rewards.py")
