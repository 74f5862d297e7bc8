"""Having judges score what is on record: a job that goes on where it was stopped, a command that chooses by the scores."""

import json
from collections.abc import Sequence

import pytest

from tests.fakes import record_evaluation
from training.__main__ import main
from training.data.problems import load_problems
from training.errors import ModelError, StoreError
from training.home import Home
from training.jobs import judge as judging
from training.jobs.judge import JUDGE, judge_spec
from training.jobs.running import run_job
from training.judging import scoring
from training.judging.judges import judge_named
from training.rewards import score_completion
from training.runs.launch import launch_judging, queue_job
from training.store import Store
from training.store.evaluations import EvaluationItem, evaluation_headings
from training.store.judgements import judges_on_record, read_judgements

PROBLEMS, SAMPLES = 3, 4


@pytest.fixture
def job_id(store: Store) -> str:
    """A finished evaluation: each problem answered rightly once, by its last completion, which has a line more."""
    demo = load_problems("demo")
    items = []
    for problem in demo.of_split("test")[:PROBLEMS]:
        for number in range(SAMPLES):
            is_right = number == SAMPLES - 1
            text = "".join(f"line {line}\n" for line in range(1 + is_right))
            text += f"<answer>{problem.gold if is_right else 'none'}</answer>"
            items.append(EvaluationItem(problem.id, text, score_completion(text, problem.gold), 9))
    spec = {"model": "demo", "source": "demo", "content_hash": demo.content_hash, "samples": SAMPLES}
    job, _ = store.create_job("evaluate", "evaluate", spec)
    record_evaluation(store, job.id, "test", 0, "test", items)
    store.end(job.id, "finished", "done")
    return job.id


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that a judge was asked who scores each step by how many came before it."""
    found: list[str] = []

    def score(pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
        found.extend(question for question, _ in pairs)
        return [[0.1 + number / 10 for number in range(text.count("line"))] for _, text in pairs]

    monkeypatch.setattr(scoring, "load_judge", lambda judge: score)
    return found


def test_a_stopped_judging_goes_on_where_it_stood(
    store: Store, home: Home, job_id: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "_BATCH", 5)
    job, _ = queue_job(store, home, JUDGE, judge_spec(store, job_id, "demo"))
    score = scoring.load_judge(judge_named("demo"))

    def stopped_meanwhile(pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
        if not asked:
            store.request_stop(job.id)
        return score(pairs)

    monkeypatch.setattr(scoring, "load_judge", lambda judge: stopped_meanwhile)
    run_job(store, home, job.id)
    assert (store.job(job.id).status, len(asked)) == ("stopped", 5)
    (heading,) = evaluation_headings(store)
    assert judges_on_record(store, [heading.key]) == {heading.key: []}

    again, waits = queue_job(store, home, JUDGE, judge_spec(store, job_id, "demo"))
    assert (again.id, waits) == (job.id, True)
    run_job(store, home, job.id)
    assert len(asked) == PROBLEMS * SAMPLES, "nothing is judged twice"
    assert judges_on_record(store, [heading.key]) == {heading.key: ["demo"]}
    assert read_judgements(store, heading.key, "demo")[:SAMPLES] == [[0.1]] * 3 + [[0.1, 0.2]]


def test_the_command_judges_once_and_prints_every_strategy(
    store: Store, home: Home, job_id: str, asked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    assert main(["judge", job_id, "--judge", "demo", "--json"]) == 0
    (evaluation,) = json.loads(capsys.readouterr().out)["evaluations"]
    found = {figure["figure"]: figure for figure in evaluation["sampled"]}
    assert found["best of 4"]["value"] == found["pass@4"]["value"] == 1.0
    assert found["majority@4"]["value"] == 0.0
    assert found["best of 4"]["tokens"] == 4 * 9
    assert main(["judge", job_id]) == 0
    assert "best of 4" in capsys.readouterr().out
    assert len(asked) == PROBLEMS * SAMPLES
    assert main(["judge", job_id, "--judge", "integer", "--aggregation", "min"]) == 0, "a reward on record needs no model"
    capsys.readouterr()
    assert main(["judge", job_id, "--judge", "integer", "--right-by", "soft_correctness"]) == 0
    assert "right by soft correctness, chosen by integer\n" in capsys.readouterr().out
    for wrong, told in (
        (["--judge", "correctness"], "knows the gold answer"),
        (["--right-by", "nothing"], "has no values of 'nothing'"),
        (["--judge", "a/folder/that/is/not/there"], "There is no folder"),
        (["--judge", "no/folder"], "no such folder here"),
    ):
        assert main(["judge", job_id, *wrong]) == 2
        assert told in capsys.readouterr().err


def test_one_completion_a_problem_leaves_nothing_to_choose_from(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    job, _ = store.create_job("evaluate", "evaluate", {"source": "demo"})
    record_evaluation(store, job.id, "test", 0, "test", [EvaluationItem("train-0", "text", {"correctness": 1.0}, 1)])
    assert main(["judge", job.id, "--judge", "demo"]) == 2
    assert "one completion a problem" in capsys.readouterr().err
    assert store.jobs("judge") == []


def test_what_cannot_be_judged_is_refused_with_the_remedy(store: Store, job_id: str) -> None:
    empty, _ = store.create_job("train", "demo", {"source": "demo"})
    for args, kind in (((empty.id, "demo"), StoreError), ((job_id, "demo", "after"), StoreError), ((job_id, "/"), ModelError)):
        with pytest.raises(kind) as refused:
            judge_spec(store, *args)
        assert refused.value.remedy


def test_problems_that_are_gone_have_no_scores(store: Store, home: Home, asked: list[str]) -> None:
    job, _ = store.create_job("evaluate", "evaluate", {"source": "demo"})
    record_evaluation(store, job.id, "test", 0, "test", [EvaluationItem("nowhere", "text", {"correctness": 1.0}, 1)])
    judge, _ = queue_job(store, home, JUDGE, judge_spec(store, job.id, "demo"))
    run_job(store, home, judge.id)
    (heading,) = evaluation_headings(store)
    assert (asked, read_judgements(store, heading.key, "demo")) == ([], [[]])
    assert judges_on_record(store, [heading.key]) == {heading.key: ["demo"]}


def test_launching_starts_one_process(store: Store, home: Home, job_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr("training.backends.local.LocalBackend.submit", lambda self, job, command: commands.append(command))
    judge = launch_judging(store, home, judge_spec(store, job_id, "demo"))
    assert launch_judging(store, home, judge_spec(store, job_id, "demo")) == judge
    assert commands == [["-m", "training.jobs", judge]]


def test_a_measured_models_completions_are_judged_at_once_and_held_against_the_majority(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo model by the demo's judge, both for real; the same again measures and judges nothing anew."""
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    measure = ["evaluate", "--model", "demo", "--source", "demo", "--samples", "2", "--temperature", "1", "--seed", "3"]
    measure += ["--fraction", "0.01", "--judge", "demo"]
    assert main([*measure, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [gain["title"] for gain in facts["against_majority"]] == ["best of 2", "weighted majority@2"]
    assert facts["against_majority"][0]["problems"] == facts["problems"] == 4
    assert main(measure) == 0
    told = capsys.readouterr().out
    assert "An answer chosen by demo, last step\n  best of 2 against majority@2 " in told
