"""Cards of completions and the article's table, as data."""

from dashboard.components.completions import card_html
from dashboard.components.evaluation import comparison_frame
from training.evaluate import evaluation_table
from training.rewards import score_completion
from training.store import Evaluation, EvaluationItem, Rollout


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


def evaluation(label: str, answers: list[str]) -> Evaluation:
    items = [
        EvaluationItem(f"test-{index}", f"<answer>{answer}</answer>", score_completion(f"<answer>{answer}</answer>", "5"), 3)
        for index, answer in enumerate(answers)
    ]
    return Evaluation(label, 0, "test", 0.0, tuple(items))


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


def test_the_articles_table_has_its_rows_values_and_intervals() -> None:
    table = evaluation_table(evaluation("before", ["5", "$5", "6", "7"]))
    assert (table["hard"].value, table["soft"].value, table["integer"].value) == (0.25, 0.5, 0.375)
    assert table["integer"].maximum == 0.5
    assert table["hard"].low < 0.25 < table["hard"].high
    frame = comparison_frame({"before": table, "after": evaluation_table(evaluation("after", ["5"] * 4))})
    assert frame["measure"].tolist()[:2] == ["Hard correctness", "Soft correctness"]
    assert frame["before"].tolist()[:2] == ["0.250", "0.500"]
    assert frame["after"].tolist()[:2] == ["1.000", "1.000"]
