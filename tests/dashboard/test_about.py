"""The program says on every page what it is."""

import pytest

from tests.app_testing import run_app, words

pytestmark = pytest.mark.usefixtures("dashboard_home")


@pytest.mark.parametrize("page", ["explore", "insights", "launch", "runs", "evaluate"])
def test_every_page_says_what_the_program_is(page: str) -> None:
    test = run_app(page)
    assert not test.exception
    said = words(test)
    assert "See your RL data set as a map" in said
    assert "LLM Reinforcement Learning with GRPO" in said
