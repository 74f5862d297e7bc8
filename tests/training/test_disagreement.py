"""Two judges held against each other: what differs, who is marked right, and what follows, on both databases."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.fakes import record_evaluation
from training.__main__ import main
from training.data.problems import load_problems
from training.errors import ConfigError, SourceError, StoreError
from training.groups import Rollout
from training.home import Home
from training.insight import disagreement
from training.insight.disagreement import Disagreement, Tally, disagreement_of, reading_of, share_of
from training.insight.disagreement_cases import case_file, read_cases
from training.insight.judge_errors import error_rates, error_sentence
from training.insight.judges import (
    COMPUTABLE,
    Part,
    judge_named,
    offered_judges,
    part_named,
    parts_of,
    recorded_judges,
    usual_judges,
)
from training.intervals import clustered_share, wilson_interval
from training.rewards import score_completion
from training.rewards.forms import TAGS
from training.runs.deletion import delete_job
from training.store import Store
from training.store.answer_marks import AnswerMark, answer_digest, mark_answer, marked_answers
from training.store.evaluations import EvaluationItem
from training.store.schema import answer_marks

pytestmark = pytest.mark.both_databases

PROBLEMS = load_problems("demo")
HARD_SOFT = ("correctness", "soft_correctness")
HARD_VALUE = ("correctness", "value_correctness")
ARTICLE = (*HARD_SOFT, "strict_format")


def texts(gold: str) -> list[str]:
    """Right by hard and soft, right by soft alone twice over, wrong by both."""
    return [f"<answer>{gold}</answer>", f"<answer>${gold}</answer>", f"<answer>${gold}</answer>", "<answer>none</answer>"]


def rollouts(step: int, problem: int, completions: Sequence[str], names: Sequence[str] = ARTICLE) -> list[Rollout]:
    """A group with these of its rewards on record."""
    asked = PROBLEMS.problems[problem]
    scored = [score_completion(text, asked.gold) for text in completions]
    return [
        Rollout(step, problem, place, asked.id, text, {name: rewards[name] for name in names}, 0.0, 0.0, 5, "stop")
        for place, (text, rewards) in enumerate(zip(completions, scored, strict=True))
    ]


@pytest.fixture
def run_id(store: Store) -> str:
    """Three steps of two problems each, four completions a group."""
    spec = {"source": "demo", "content_hash": PROBLEMS.content_hash, "verifier": "correctness"}
    run = store.create_job("train", "demo", spec)[0].id
    for step in (1, 2, 3):
        store.record(run, rollouts=[r for p in (step, step + 1) for r in rollouts(step, p, texts(PROBLEMS.problems[p].gold))])
    return run


@pytest.fixture
def golds() -> Mapping[str, str]:
    return {problem.id: problem.gold for problem in PROBLEMS.problems}


def test_judges_on_record_are_counted_by_the_database(store: Store, run_id: str) -> None:
    found = disagreement_of(store, Part(run_id), HARD_SOFT, {})
    assert found.tallies[0] == Tally(PROBLEMS.problems[1].id, 1, 1, 0, 2, 1, 0)
    assert [(tally.step, tally.judged) for tally in found.tallies] == [(1, 4), (1, 4), (2, 4), (2, 4), (3, 4), (3, 4)]
    assert found.completions == 24
    share = share_of(found.tallies)
    assert (share.number, share.of) == (12, 24)
    assert share.estimate == clustered_share(np.array([2.0, 4, 4, 2]), np.array([4.0, 8, 8, 4]))
    assert reading_of(found).startswith("Hard correctness and soft correctness differ on 12 of 24 completions: 50.0% (")


def test_the_answers_that_differ_are_told_once_each_in_an_order_that_stays(store: Store, run_id: str) -> None:
    found = disagreement_of(store, Part(run_id), HARD_SOFT, {})
    assert {answer.problem_id: answer.times for answer in found.differing} == dict(
        zip((PROBLEMS.problems[p].id for p in (1, 2, 3, 4)), (2, 4, 4, 2), strict=True)
    )
    assert not any(answer.first_says_right for answer in found.differing)
    store.record(run_id, rollouts=rollouts(4, 0, ["<answer>$1</answer>", texts(PROBLEMS.problems[0].gold)[1]]))
    longer = disagreement_of(store, Part(run_id), HARD_SOFT, {})
    known = [answer.key for answer in longer.differing if answer.problem_id != PROBLEMS.problems[0].id]
    assert known == [answer.key for answer in found.differing]
    assert len(longer.differing) == len(found.differing) + 1


def test_the_judges_may_be_named_in_either_order(store: Store, run_id: str) -> None:
    found, turned = (disagreement_of(store, Part(run_id), judges, {}) for judges in (HARD_SOFT, HARD_SOFT[::-1]))
    assert turned.tallies[0] == Tally(PROBLEMS.problems[1].id, 1, 1, 2, 0, 1, 0)
    assert turned.differing == tuple(replace(answer, first_says_right=True) for answer in found.differing)


def test_what_a_judge_did_not_score_counts_for_nothing_else(store: Store, run_id: str) -> None:
    unscored = replace(rollouts(4, 0, ["x"])[0], rewards={"correctness": 1.0, "soft_correctness": None})
    store.record(run_id, rollouts=[unscored])
    found = disagreement_of(store, Part(run_id), HARD_SOFT, {})
    assert found.tallies[-1] == Tally(PROBLEMS.problems[0].id, 4, 0, 0, 0, 0, 1)
    assert share_of(found.tallies[-1:]).estimate is None
    assert share_of(found.tallies).of == 24
    assert found.completions == 25


def test_a_judge_who_is_not_on_record_is_asked_now(store: Store, run_id: str, golds: Mapping[str, str]) -> None:
    found = disagreement_of(store, Part(run_id), HARD_VALUE, golds)
    by_record = disagreement_of(store, Part(run_id), HARD_SOFT, golds)
    assert found.recomputed == ("value_correctness",)
    assert (found.tallies, found.differing) == (by_record.tallies, by_record.differing)
    told: list[tuple[int, int]] = []
    sample = disagreement_of(
        store, Part(run_id), HARD_VALUE, golds, sampled=10, told=lambda done, total: told.append((done, total))
    )
    assert sum(tally.judged for tally in sample.tallies) == 10
    assert sample.completions == 24
    assert told == [(10, 10)]
    assert "a random sample of 24" in reading_of(sample)


def test_a_sample_is_kept_as_a_run_goes_on(store: Store, run_id: str) -> None:
    _, before = disagreement._sample(store, Part(run_id), 12)
    for step in range(4, 7):
        store.record(run_id, rollouts=rollouts(step, 0, texts("1")))
    total, after = disagreement._sample(store, Part(run_id), 12)
    assert total == 36
    kept = set(before.tolist()) & set(after.tolist())
    assert set(after.tolist()) - kept <= {seq for seq in after.tolist() if seq > before.max()}
    assert len(kept) >= 6


def test_a_judge_cannot_be_asked_without_the_problems_unless_it_needs_no_gold(store: Store, run_id: str) -> None:
    with pytest.raises(SourceError, match="Value correctness cannot be computed"):
        disagreement_of(store, Part(run_id), HARD_VALUE, {})
    formats = disagreement_of(store, Part(run_id), ("strict_format", "soft_format"), {})
    assert [tally.both_wrong for tally in formats.tallies] == [4] * 6
    partly = disagreement_of(store, Part(run_id), HARD_VALUE, {PROBLEMS.problems[1].id: PROBLEMS.problems[1].gold})
    assert [tally.unjudged for tally in partly.tallies] == [0, 4, 4, 4, 4, 4]


def test_math_verify_is_asked_in_a_process_of_its_own(store: Store, run_id: str, golds: Mapping[str, str]) -> None:
    found = disagreement_of(store, Part(run_id), ("correctness", "math"), golds)
    assert found.tallies[0].second_only == 2


def test_marks_belong_to_a_text_and_to_the_two_judges(store: Store, run_id: str) -> None:
    key = (PROBLEMS.problems[1].id, answer_digest(PROBLEMS.problems[1].id, "ten \x00 \ud800"))
    mark_answer(store, run_id, HARD_SOFT, key, "wrong", "ada@example.org")
    mark_answer(store, run_id, HARD_SOFT[::-1], key, "right", "this machine")
    (mark,) = marked_answers(store, run_id, HARD_SOFT).values()
    assert mark == AnswerMark("right", "this machine", mark.marked_at)
    assert abs(mark.marked_at - store.now()) < 600
    assert marked_answers(store, run_id, HARD_VALUE) == {}
    mark_answer(store, run_id, HARD_SOFT, key, None, "")
    assert marked_answers(store, run_id, HARD_SOFT) == {}
    with pytest.raises(StoreError, match="There is no run 'nobody-1'"):
        mark_answer(store, "nobody-1", HARD_SOFT, key, "right", "")


def test_marks_are_deleted_with_their_run_and_survive_its_steps_being_written_again(
    store: Store, run_id: str, home: Home
) -> None:
    found = mark_all(store, run_id, "right")
    store.record(run_id, rollouts=store.rollouts(run_id, 2))
    again = disagreement_of(store, Part(run_id), HARD_SOFT, {})
    assert error_rates(again, marked_answers(store, run_id, HARD_SOFT)) == error_rates(
        found, marked_answers(store, run_id, HARD_SOFT)
    )
    store.end(run_id, "finished", "done")
    delete_job(store, home, run_id)
    with store.reading() as connection:
        assert connection.execute(answer_marks.select()).all() == []


def mark_all(store: Store, run_id: str, *verdicts: str) -> Disagreement:
    """Marks the first answers, in the order in which they are marked, as far as there are verdicts; the last for the rest."""
    found = disagreement_of(store, Part(run_id), HARD_SOFT, {})
    for place, answer in enumerate(found.differing):
        mark_answer(store, run_id, HARD_SOFT, answer.key, verdicts[min(place, len(verdicts) - 1)], "me")  # type: ignore[arg-type]
    return found


def test_without_marks_no_rate_is_known(store: Store, run_id: str) -> None:
    rates = error_rates(disagreement_of(store, Part(run_id), HARD_SOFT, {}), {})
    assert [(rate.judge, rate.kind, rate.could_be.number) for rate in rates] == [
        ("correctness", "false negative", 12),
        ("correctness", "false positive", 0),
        ("soft_correctness", "false negative", 0),
        ("soft_correctness", "false positive", 12),
    ]
    assert [rate.share for rate in rates] == [None] * 4
    assert (rates[0].of_all, rates[0].rate) == (None, None)
    assert "none of their 4 answers is marked yet" in error_sentence(rates[0])
    assert error_sentence(rates[1]) == "Hard correctness alone calls no completion right."


def test_rates_follow_from_the_marked_share_and_the_size_of_what_differs(store: Store, run_id: str) -> None:
    found = mark_all(store, run_id, "right")
    negative, positive, _, soft_positive = error_rates(found, marked_answers(store, run_id, HARD_SOFT))
    assert negative.share is not None
    assert negative.of_all is not None
    assert negative.rate is not None
    assert (negative.marked, negative.errors, negative.share.value) == (4, 4, 1.0)
    assert negative.share.low == pytest.approx(wilson_interval(1.0, 4)[0])
    assert negative.of_all.value == 0.5
    # Right are 6 by both and 12 that hard correctness misses.
    assert negative.rate.value == pytest.approx(12 / 18)
    assert negative.rate.low < negative.rate.value < negative.rate.high <= 1
    assert positive.rate is not None
    assert positive.rate.value == 0
    assert positive.rate.high > 0
    assert soft_positive.rate is not None
    assert soft_positive.rate.value == 0
    assert "4 are marked, 4 as right: 100.0%" in error_sentence(negative)


def test_what_is_unclear_counts_for_nothing_else_and_a_text_as_often_as_it_was_written(store: Store, run_id: str) -> None:
    found = mark_all(store, run_id, "unclear", "wrong", "right")
    negative, _, _, soft_positive = error_rates(found, marked_answers(store, run_id, HARD_SOFT))
    times = [answer.times for answer in found.differing]
    assert (negative.marked, negative.errors, negative.unclear) == (3, 2, 1)
    assert negative.share is not None
    assert negative.share.value == pytest.approx(sum(times[2:]) / sum(times[1:]))
    assert soft_positive.share is not None
    assert soft_positive.share.value == pytest.approx(times[1] / sum(times[1:]))


def test_rates_hold_the_truth_that_a_random_order_samples() -> None:
    """Of 400 problems, one completion each: marking the first 60 that differ tells the rates of all."""
    generator = np.random.default_rng(42)
    held = 0
    for _ in range(100):
        says = generator.random((400, 2)) < np.where(generator.random((400, 1)) < 0.8, 0.6, [[0.2, 0.7]])
        same = says[:, 0] == says[:, 1]
        truth = np.where(same, says[:, 0], generator.random(400) < np.where(says[:, 0], 0.8, 0.4))
        tallies = tuple(
            Tally(str(n), 1, int(a and b), int(a and not b), int(b and not a), int(not a and not b), 0)
            for n, (a, b) in enumerate(says.tolist())
        )
        differing = [
            disagreement.Differing(str(n), answer_digest(str(n), str(generator.random())), bool(says[n, 0]), 1, n)
            for n in np.flatnonzero(~same)
        ]
        differing.sort(key=lambda answer: answer.digest)
        found = Disagreement(Part("demo-1"), HARD_SOFT, tallies, tuple(differing), 400)
        marks = {answer.key: AnswerMark("right" if truth[answer.seq] else "wrong", "me", 0.0) for answer in differing[:60]}
        negative = error_rates(found, marks)[0]
        actual = np.mean(~says[truth, 0])
        assert negative.rate is not None
        held += negative.rate.low <= actual <= negative.rate.high
    assert held >= 93


def test_an_evaluation_is_a_part_of_its_own(store: Store, run_id: str, golds: Mapping[str, str]) -> None:
    problem = PROBLEMS.problems[0]
    items = [EvaluationItem(problem.id, text, score_completion(text, problem.gold), 5) for text in texts(problem.gold)]
    record_evaluation(store, run_id, "after", 3, "test", items)
    assert parts_of(store, run_id) == [Part(run_id), Part(run_id, "after")]
    found = disagreement_of(store, part_named(store, run_id, "after"), HARD_VALUE, {})
    assert found.tallies == (Tally(problem.id, 3, 1, 0, 2, 1, 0),)
    alone = store.create_job("evaluate", "model", {})[0].id
    with pytest.raises(StoreError, match="has no completions on record"):
        part_named(store, alone)
    record_evaluation(store, alone, "test", 0, "test", items)
    assert part_named(store, alone) == Part(alone, "test")
    assert usual_judges(store, Part(alone, "test"))[0] == "correctness"
    with pytest.raises(StoreError, match="no complete evaluation 'before'"):
        part_named(store, run_id, "before")


def test_the_usual_judges_are_the_verifier_and_the_one_that_differs_most(store: Store, run_id: str) -> None:
    assert recorded_judges(store, Part(run_id)) == ARTICLE
    assert offered_judges(store, Part(run_id)) == (*ARTICLE, "value_correctness", "math", "soft_format")
    assert usual_judges(store, Part(run_id)) == HARD_SOFT
    store.record(run_id, rollouts=[replace(r, rewards={"correctness": 1.0, "length": 0.0}) for r in store.rollouts(run_id)])
    assert usual_judges(store, Part(run_id)) == ("correctness", "length")
    store.record(run_id, rollouts=[replace(r, rewards={"correctness": 1.0}) for r in store.rollouts(run_id)])
    assert usual_judges(store, Part(run_id)) == HARD_VALUE


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("correctness", "correctness"),
        ("Hard correctness", "correctness"),
        ("hard", "correctness"),
        ("SOFT", "soft_correctness"),
        ("value-correctness", "value_correctness"),
        ("value", "value_correctness"),
        ("symbolic", "math"),
        ("strict format", "strict_format"),
    ],
)
def test_a_judge_is_named_as_people_know_it(text: str, name: str) -> None:
    assert judge_named(text, COMPUTABLE) == name


@pytest.mark.parametrize("text", ["format", "", "integer"])
def test_what_names_no_judge_is_told_what_does(text: str) -> None:
    with pytest.raises(ConfigError, match=r"correctness \(Hard correctness\), soft_correctness"):
        judge_named(text, COMPUTABLE)


def test_files_of_cases_are_read_by_pandas_as_they_are(store: Store, run_id: str) -> None:
    problem = PROBLEMS.problems[0]
    awkward = f'<answer>${problem.gold}</answer>, "so"\n=1+1'
    store.record(run_id, rollouts=rollouts(4, 0, [awkward, f"=<answer>${problem.gold}</answer>"]))
    found = mark_all(store, run_id, "right", "unclear", "wrong")
    marks = marked_answers(store, run_id, HARD_SOFT)
    problems = {problem.id: problem for problem in PROBLEMS.problems}
    lines, table = (b"".join(case_file(store, found, marks, problems, TAGS, suffix)) for suffix in (".jsonl", ".csv"))
    of_lines = pd.read_json(io.BytesIO(lines), lines=True, dtype=False)
    of_table = pd.read_csv(io.BytesIO(table), dtype={"gold": str, "answer": str})
    assert len(of_lines) == len(found.differing) == 6
    assert list(of_lines["mark"]) == ["right", "unclear", "wrong", "wrong", "wrong", "wrong"]
    assert set(of_lines["who"]) == {"me"}
    assert awkward in set(of_lines["completion"]) & set(of_table["completion"])
    assert set(of_table["completion"]) - set(of_lines["completion"]) == {f"'=<answer>${problem.gold}</answer>"}
    for column in ("problem", "gold", "answer", "first_verdict", "second_verdict", "mark", "marked_at", "step", "times"):
        assert list(of_table[column]) == list(of_lines[column]), column
    assert pd.to_datetime(of_lines["marked_at"]).dt.tz is not None


def test_a_case_that_was_forgotten_is_left_out(store: Store, run_id: str) -> None:
    found = disagreement_of(store, Part(run_id), HARD_SOFT, {})
    store.truncate(run_id, 1)
    assert {case.step for case in read_cases(store, found, found.differing, {}, {}, TAGS)} == {1}


def test_the_command_tells_counts_errors_and_writes_the_cases(
    store: Store, run_id: str, home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    mark_all(store, run_id, "right")
    file = home.root / "cases.jsonl"
    assert main(["disagreement", run_id, "--judges", "hard,soft", "--cases", str(file)]) == 0
    told = capsys.readouterr().out
    assert "only soft correctness right" in told
    assert "Hard correctness alone calls 12 completions wrong" in told
    assert len([json.loads(line) for line in file.read_bytes().splitlines()]) == 4
    assert main(["disagreement", run_id, "--judges", "hard,value", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["judges"] == list(HARD_VALUE)
    assert facts["cells"]["second_only"]["number"] == 12
    assert facts["errors"][0]["share"] is None
    assert main(["disagreement", run_id]) == 0
    assert capsys.readouterr().out.startswith("Hard correctness and soft correctness differ")
    for wrong in (["--judges", "hard"], ["--judges", "hard,nobody"], ["--judges", "hard,hard"], ["--cases", "cases.txt"]):
        assert main(["disagreement", run_id, *wrong]) == 2
