"""Cards of completions."""

from dashboard.components.shared.completions import card_html, differences_html, group_titles
from training.groups import Rollout
from training.rewards.forms import FORMS, TAGS, AnswerForm


def rollout(completion: str, **changes: object) -> Rollout:
    values = {"step": 1, "group_index": 0, "position": 0, "problem_id": "train-0", "completion": completion}
    values |= {
        "rewards": {"correctness": 1.0, "integer": None},
        "total": 1.0,
        "advantage": -0.5,
        "tokens": 9,
        "finish_reason": "stop",
    }
    return Rollout(**(values | changes))


def test_a_completion_that_a_group_has_twice_is_said_to_be_the_same() -> None:
    group = [rollout(text, position=place) for place, text in enumerate(("5", "6", "5", "5 "))]
    assert group_titles(group) == {
        0: "Completion 1",
        1: "Completion 2",
        2: "Completion 3, word for word completion 1",
        3: "Completion 4",
    }


def test_what_a_model_writes_is_never_html() -> None:
    card = card_html(rollout("<script>alert(1)</script><answer><b>5</b></answer>"), "5", {"correctness": 1.0}, 1.0)
    assert "<script>" not in card
    assert "<b>5" not in card
    assert "&lt;script&gt;" in card


def test_a_card_shows_answer_gold_rewards_advantage_and_highlights_tags() -> None:
    card = card_html(rollout("<answer>5</answer>"), "7", {"correctness": 1.0, "integer": 1.0}, 1.0)
    assert "gold 7" in card
    assert '<span class="tag">&lt;answer&gt;</span>' in card
    assert "<span>none</span>" in card
    assert "-0.50" in card
    assert 'down" style="left:25.0%;width:25.0%"' in card


def test_a_completion_cut_off_says_so_and_an_unscorable_one_too() -> None:
    card = card_html(rollout("5", finish_reason="length", total=None), "5", {"correctness": 1.0}, 1.0)
    assert "9 tokens, cut off" in card
    assert "not scorable" in card
    assert "equals gold" in card


def test_no_answer_is_told_apart_from_a_wrong_and_from_an_empty_one() -> None:
    def head(text: str, form: AnswerForm) -> str:
        return card_html(rollout(text), "7", {}, 1.0, form=form)

    assert "no answer marked" in head("It is 6.", TAGS)
    assert "no answer marked" in head("<answer>6</answer>", FORMS["boxed"])
    assert '<span class="answer">6</span>' in head(r"\boxed{6}", FORMS["boxed"])
    assert "empty answer" in head("<answer></answer>", TAGS)


def test_differences_mark_words_against_the_best_and_nothing_of_them_is_html() -> None:
    shown = differences_html("<answer>\n<b>5</b> apples\n</answer>", "<answer>\n6 apples\n</answer>")
    assert shown.startswith('<span class="tag">&lt;answer&gt;</span>\n<del>6</del>')
    assert "&lt;b&gt;5&lt;/b&gt;" in shown.replace("</ins>", "").replace("<ins>", "")
    assert " apples\n" in shown
    assert "<b>" not in shown


def test_equal_and_very_long_completions_are_shown_without_differences() -> None:
    assert differences_html("5 apples", "5 apples") == "5 apples"
    assert differences_html("one " * 5_000, "two " * 5_000) == "one " * 5_000


def test_a_card_may_stand_out_and_say_where_it_stands() -> None:
    card = card_html(rollout("5"), "5", {"correctness": 1.0}, 1.0, title="step <1>", marked=True)
    assert card.startswith('<div class="rollout marked"><div class="note">step &lt;1&gt;</div>')
