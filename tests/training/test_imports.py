"""Other trainers' logs as runs: what is read of each, what is left out and why, and that ours come back as they were."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.tiny_runs import few_problems
from training.__main__ import main
from training.data.problem import ProblemSet
from training.doctor.examination import examine
from training.errors import ConfigError, SourceError, StoreError
from training.evaluation.recorded import sampled_of, scored_samples, scorers_of, scores_of
from training.evaluation.scaling import scaling_curves
from training.groups import Rollout
from training.home import DEMO_MODEL, Home
from training.imports.logs import LAYOUTS, LeftOut, Logged, layout_of, log_files, logged_rows
from training.imports.matching import UNKNOWN, Questions
from training.insight.counterfactuals import reweigh
from training.insight.disagreement import Tally, disagreement_of
from training.insight.judge_errors import error_rates
from training.insight.judges import Part, usual_judges
from training.insight.report import report_html
from training.insight.rollout_files import rollout_lines, write_parquet
from training.jobs.importing import bring_in, imported_config, queue_import
from training.jobs.job_process import job_process
from training.rewards import score_completion
from training.runs.launch import resume_run
from training.store import RUN_KINDS, Job, Store
from training.store.answer_marks import mark_answer, marked_answers
from training.store.job_search import RunFilter, find_runs
from training.stored_config import ImportedConfig, stored_config

DEMO = few_problems()
PROBLEM = DEMO.problems[0]
RIGHT, WRONG = f"<answer>{PROBLEM.gold}</answer>", "<answer>none</answer>"

ROWS: dict[str, dict[str, Any]] = {
    "a download of this program": {
        "step": 3,
        "group_index": 0,
        "position": 0,
        "problem_id": PROBLEM.id,
        "completion": RIGHT,
        "rewards": {"correctness": 1.0, "integer": None},
        "total": 1.0,
        "advantage": 0.5,
        "tokens": 7,
        "finish_reason": "stop",
    },
    "prime-rl": {
        "id": "e1",
        "env": {"id": "gsm8k"},
        "task": {"type": "MathTask", "data": {"prompt": PROBLEM.question}},
        "group": {"id": "g1"},
        "run": {"type": "train", "id": "r1", "work": {"type": "train", "step": 3}},
        "ok": True,
        "traces": [
            {
                "nodes": [
                    {"message": {"role": "system", "content": "Be brief."}},
                    {"parent": 0, "message": {"role": "user", "content": [{"type": "text", "text": PROBLEM.question}]}},
                    {"parent": 1, "message": {"role": "assistant", "content": RIGHT}, "sampled": True},
                ],
                "rewards": {"correct": {"score": 1.0, "weight": 1.0}, "judge": None},
                "metrics": {"turns": 1.0},
            }
        ],
    },
    "TRL": {"step": 3, "prompt": f"Be brief.{PROBLEM.question}", "completion": RIGHT, "accuracy": 1.0, "advantage": 0.5},
    "samples of Qwen2.5-Math's evaluation": {
        "idx": 4,
        "question": PROBLEM.question,
        "gt": PROBLEM.gold,
        "response": [RIGHT],
        "pred": [PROBLEM.gold],
        "score": [True],
        "pred_score": [[-0.5]],
    },
    "verl": {
        "input": f"user\n{PROBLEM.question}\nassistant\n",
        "output": RIGHT,
        "gts": PROBLEM.gold,
        "score": 1.0,
        "step": 3,
        "acc": True,
    },
    "verifiers": {
        "example_id": 9,
        "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROBLEM.question}],
        "completion": [{"role": "assistant", "content": RIGHT}],
        "task": "sums",
        "reward": 1.0,
        "format": 0.5,
        "total_ms": 12.0,
        "generation_ms": 11.0,
        "scoring_ms": 1.0,
    },
}
EXPECTED: dict[str, tuple[int, dict[str, float | None], float | None]] = {
    "a download of this program": (3, {"correctness": 1.0, "integer": None}, 0.5),
    "prime-rl": (3, {"correct": 1.0, "judge": None}, None),
    "TRL": (3, {"accuracy": 1.0}, 0.5),
    "samples of Qwen2.5-Math's evaluation": (1, {"score": 1.0, "pred_score": -0.5}, None),
    "verl": (3, {"score": 1.0, "acc": 1.0}, None),
    "verifiers": (1, {"reward": 1.0, "format": 0.5}, None),
}
"""Step, rewards, advantage."""


def write(file: Path, rows: Sequence[object]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def read(path: Path, mapping: dict[str, str] | None = None) -> tuple[list[Logged], LeftOut]:
    left_out = LeftOut()
    files = log_files(path)
    layout = layout_of(files, mapping or {})
    return [row for file in files for row in logged_rows(file, layout, left_out)], left_out


def bring(store: Store, home: Home, path: Path, problems: ProblemSet = DEMO, **more: Any) -> Job:
    """A log read once, as the job that does it."""
    job = queue_import(store, home, imported_config(path, problems, **more))
    config = stored_config(job.spec)
    assert isinstance(config, ImportedConfig)
    with job_process(store, job.id) as process:
        bring_in(process, home, config, idle_s=0.0)
    return store.job(job.id)


@pytest.fixture(autouse=True)
def demo_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.jobs.importing.load_problems", lambda source, home: DEMO)


# Logs


def test_every_layout_has_a_row_here() -> None:
    assert list(ROWS) == [layout.name for layout in LAYOUTS]


def test_a_row_of_samples_is_a_group_judged_by_its_own_labels(store: Store, home: Home, tmp_path: Path) -> None:
    row = ROWS["samples of Qwen2.5-Math's evaluation"]
    several = {"response": [WRONG, RIGHT], "pred": ["none", PROBLEM.gold], "score": [False, True], "pred_score": [[0.1], [0.9]]}
    job = bring(store, home, write(tmp_path / "samples.jsonl", [row | several]))
    assert job.spec["verifier"] == "score"
    (sampled,) = sampled_of(store, job.id)
    assert [item.rewards for item in sampled.evaluation.items] == [
        {"score": 0, "pred_score": 0.1},
        {"score": 1, "pred_score": 0.9},
    ]
    assert scorers_of(store, sampled) == ["pred_score"]
    scores = scores_of(store, sampled, "pred_score")
    found = {score.title: score.value for score in scaling_curves(scored_samples(sampled, scores))}
    assert (found["pass@1"], found["majority@2"], found["best of 2"]) == (0.5, 0.0, 1.0)


def test_a_training_log_is_no_file_of_samples(store: Store, home: Home, tmp_path: Path) -> None:
    job = bring(store, home, write(tmp_path / "log.jsonl", [ROWS["TRL"], ROWS["TRL"] | {"step": 4}]))
    with pytest.raises(StoreError, match="its completions are of 2 steps"):
        sampled_of(store, job.id)


@pytest.mark.parametrize(
    ("name", "ending"), [(name, "jsonl") for name in ROWS] + [(name, "parquet") for name in ROWS if name != "prime-rl"]
)
def test_a_log_is_recognised_and_read(name: str, ending: str, tmp_path: Path) -> None:
    file = write(tmp_path / "log.jsonl", [ROWS[name]] * 2)
    if ending == "parquet":
        file = tmp_path / "log.parquet"
        pd.DataFrame([ROWS[name]] * 2).to_parquet(file)
    rows, left_out = read(file)
    step, rewards, advantage = EXPECTED[name]
    assert left_out.reasons == {}
    assert len(rows) == 2
    assert (rows[0].step, rows[0].completion, dict(rows[0].rewards), rows[0].advantage) == (step, RIGHT, rewards, advantage)
    assert Questions(DEMO.problems).problem_of(rows[0].prompt, rows[0].problem_id) == PROBLEM.id


def test_of_prime_rls_episodes_those_that_were_trained_on_are_read(tmp_path: Path) -> None:
    for kind in ("train/all", "train/effective", "eval/effective"):
        write(tmp_path / f"rollouts/step_3/{kind}/traces.jsonl", [ROWS["prime-rl"]])
    assert [file.parent.parent.name for file in log_files(tmp_path)] == ["train"]
    rows, _ = read(tmp_path)
    assert [row.step for row in rows] == [3]


@pytest.mark.parametrize("change", [{"traces": 5}, {"traces": [{"nodes": [], "rewards": {}}]}, {"run": {"work": 5}}])
def test_an_episode_that_is_none_is_left_out(change: dict[str, Any], tmp_path: Path) -> None:
    rows, left_out = read(write(tmp_path / "traces.jsonl", [ROWS["prime-rl"], ROWS["prime-rl"] | change]))
    assert (len(rows), sum(left_out.reasons.values())) == (1, 1)


def test_a_mapping_reads_whole_groups_and_takes_the_step_from_the_files_name(tmp_path: Path) -> None:
    row = {"q": PROBLEM.question, "answers": [RIGHT, WRONG], "right": [True, False], "model": [[0.5], [0.25]]}
    write(tmp_path / "7.jsonl", [row])
    mapping = {"prompt": "q", "completion": "answers", "reward": "right,model"}
    rows, _ = read(tmp_path, mapping)
    assert [(row.step, row.completion, dict(row.rewards)) for row in rows] == [
        (7, RIGHT, {"right": 1.0, "model": 0.5}),
        (7, WRONG, {"right": 0.0, "model": 0.25}),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"completion": None}, "the completion is not text"),
        ({"completion": [1, 2]}, "the completion is not text"),
        ({"prompt": 5}, "the prompt is not text"),
        ({"step": "x"}, "'step' is no number"),
        ({"step": 1.5}, "its step is no number of a step"),
        ({"step": -4}, "its step is no number of a step"),
        ({"step": 2**40}, "its step is no number of a step"),
        ({"advantage": "much"}, "'advantage' is no number"),
        ({"advantage": float("inf")}, "'advantage' is no number"),
        ({"accuracy": float("inf")}, "'accuracy' is no number"),
        ({"completion": "x" * 1_000_001}, "a completion has more than 1,000,000 characters"),
    ],
)
def test_a_row_that_is_none_is_left_out_with_the_reason_and_the_others_are_read(
    row: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "log.jsonl", [ROWS["TRL"], ROWS["TRL"] | row, ROWS["TRL"]])
    rows, left_out = read(file)
    assert len(rows) == 2
    assert left_out.reasons == {reason: 1}
    assert left_out.first == f"log.jsonl:2: {reason}"


def test_a_download_whose_lengths_were_changed_by_hand_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    own = ROWS["a download of this program"]
    rows, left_out = read(write(tmp_path / "log.jsonl", [own, own | {"tokens": "many"}, own | {"total": "all"}]))
    assert [(row.tokens, row.finish_reason, row.total) for row in rows] == [(7, "stop", 1.0)]
    assert left_out.reasons == {"'tokens' is no number": 1, "'total' is no number": 1}


def test_lines_that_are_no_json_are_left_out_and_a_reward_that_is_not_a_number_is_none(tmp_path: Path) -> None:
    file = write(tmp_path / "log.jsonl", [ROWS["TRL"] | {"accuracy": float("nan")}])
    file.write_bytes(file.read_bytes() + b"\xff\xfe\n" + b"[" * 100_000 + b"\n" + b'{"step": 4, "pro')
    rows, left_out = read(file)
    assert [dict(row.rewards) for row in rows] == [{"accuracy": None}]
    assert sum(left_out.reasons.values()) == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "has no log|cannot be read"),
        (lambda path: (path / "notes.txt").write_text("x"), "has no log"),
        (lambda path: write(path / "log.jsonl", [{"alpha": 1}]), "no columns of a log"),
        (lambda path: write(path / "log.jsonl", []), "No row of"),
    ],
)
def test_what_is_no_log_is_an_error_that_says_what_to_do(make: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(SourceError, match=message) as raised:
        read(tmp_path)
    assert raised.value.remedy


def test_a_column_that_a_mapping_names_and_the_log_lacks_is_an_error_with_those_there_are(tmp_path: Path) -> None:
    write(tmp_path / "log.jsonl", [{"question": "x", "response": "y"}])
    with pytest.raises(SourceError, match="'question', 'response'") as raised:
        read(tmp_path, {"prompt": "question", "completion": "respons"})
    assert "'response'" in raised.value.remedy


def test_a_mapping_that_names_no_reward_has_none(tmp_path: Path) -> None:
    write(tmp_path / "log.jsonl", [{"question": "x", "response": "y", "global_step": 4}])
    rows, _ = read(tmp_path, {"prompt": "question", "completion": "response"})
    assert [(row.step, dict(row.rewards)) for row in rows] == [(1, {})]


@pytest.mark.parametrize("mapping", [{"completion": "a"}, {"prompt": "a"}, {"completion": "a", "prompt": "b", "colour": "c"}])
def test_a_mapping_that_says_too_little_or_what_there_is_not_is_refused(mapping: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "log.jsonl", [{"a": "x", "b": "y"}])
    with pytest.raises(SourceError, match="is not understood"):
        read(tmp_path, mapping)


# Problems


def test_the_longest_question_in_a_prompt_is_what_it_asks() -> None:
    short, long = (DEMO.problems[row] for row in (0, 1))
    questions = Questions([short, long])
    assert questions.problem_of(f"Solve:\n\n{long.question.upper()}\n\nThink.") == long.id
    assert questions.problem_of(f"{short.question} {long.question}") in (short.id, long.id)
    assert questions.problem_of("Something else?").startswith(UNKNOWN)
    assert questions.problem_of("Something else?") == questions.problem_of("Something else?")
    assert questions.problem_of("whatever", long.id) == long.id
    assert questions.problem_of("whatever", "train-999").startswith(UNKNOWN)


# Runs


def of_trl(step: int, *completions: str, question: str = PROBLEM.question) -> list[dict[str, Any]]:
    return [
        {"step": step, "prompt": question, "completion": text, "accuracy": float(text == RIGHT), "advantage": 0.0}
        for text in completions
    ]


def test_an_import_is_a_run_with_groups_rewards_scalars_and_our_own_verdict(store: Store, home: Home, tmp_path: Path) -> None:
    other = of_trl(1, WRONG, WRONG, question="What is this about?")
    write(tmp_path / "out/completions/completions_00001.jsonl", [*of_trl(1, RIGHT, WRONG), *other])
    state = {"log_history": [{"step": 1, "loss": 0.25, "grad_norm": float("nan")}, {"step": 1, "train_runtime": 5.0}]}
    (tmp_path / "out/trainer_state.json").write_text(json.dumps(state))
    job = bring(store, home, tmp_path / "out")
    assert (job.kind, job.status, job.done) == ("import", "finished", 1.0)
    assert "1 prompt asks no problem" in job.reason
    rollouts = store.rollouts(job.id)
    assert [(r.group_index, r.position) for r in rollouts] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert rollouts[0].rewards == {"accuracy": 1.0, "value_correctness": 1.0}
    assert rollouts[2].problem_id.startswith(UNKNOWN)
    assert rollouts[2].rewards == {"accuracy": 0.0, "value_correctness": None}
    scalars = {scalar.name: scalar.value for scalar in store.scalars(job.id)}
    assert (scalars["reward"], scalars["loss"], scalars["frac_reward_zero_std"]) == (0.25, 0.25, 0.5)
    assert "grad_norm" not in scalars
    found = find_runs(store, RunFilter(), page=1, size=10)
    assert [run.id for run in found.runs] == [job.id]
    assert store.count_jobs(RUN_KINDS) == 1
    with pytest.raises(ConfigError):
        resume_run(store, home, job.id)


def test_a_log_of_other_problems_is_refused(store: Store, home: Home, tmp_path: Path) -> None:
    write(tmp_path / "1.jsonl", of_trl(1, RIGHT, question="What is this about?"))
    with pytest.raises(SourceError, match="is of a problem of") as raised:
        bring(store, home, tmp_path)
    assert "--source" in raised.value.remedy
    assert store.jobs() == []


def test_a_log_of_which_nothing_can_be_read_says_why_and_where(tmp_path: Path) -> None:
    row = {"question": PROBLEM.question, "gt": PROBLEM.gold, "response": [RIGHT, WRONG], "pred": ["1", "2"]}
    row |= {"score": [True, False], "pred_score": [[0.9, 0.8], [0.2, 0.1]]}
    file = tmp_path / "samples.jsonl"
    file.write_text(json.dumps(row) + "\n")
    with pytest.raises(SourceError, match=r"can be read: samples\.jsonl:1: 'pred_score' is no number") as refused:
        imported_config(file, DEMO)
    assert refused.value.remedy


def test_another_verifier_is_another_run(store: Store, home: Home, tmp_path: Path) -> None:
    write(tmp_path / "1.jsonl", of_trl(1, RIGHT))
    ids = [bring(store, home, tmp_path, verifier=verifier).id for verifier in ("", "accuracy", "")]
    assert ids == ["import-1", "import-2", "import-1"]


def test_a_reward_that_is_no_number_leaves_its_row_out_with_the_reason(store: Store, home: Home, tmp_path: Path) -> None:
    rows = of_trl(1, RIGHT, WRONG)
    job = bring(store, home, write(tmp_path / "1.jsonl", [*rows, rows[0] | {"accuracy": "good"}]))
    assert len(store.rollouts(job.id)) == 2
    assert "1 row left out, the first 1.jsonl:3: 'accuracy' is no number" in job.reason


def test_advantages_that_a_log_does_not_have_are_those_of_grpo(store: Store, home: Home, tmp_path: Path) -> None:
    rows = [ROWS["verl"], ROWS["verl"] | {"output": WRONG, "score": 0.0, "acc": False}]
    job = bring(store, home, write(tmp_path / "3.jsonl", rows))
    assert [round(rollout.advantage, 2) for rollout in store.rollouts(job.id)] == [0.71, -0.71]
    assert [rollout.total for rollout in store.rollouts(job.id)] == [1.0, 0.0]


def test_read_twice_changes_nothing_and_a_longer_log_adds(store: Store, home: Home, tmp_path: Path) -> None:
    for step in (1, 2):
        write(tmp_path / f"completions_{step:05d}.jsonl", of_trl(step, RIGHT, WRONG))
    first = bring(store, home, tmp_path)
    before = store.rollouts(first.id)
    again = bring(store, home, tmp_path)
    assert (again.id, store.rollouts(first.id)) == (first.id, before)
    write(tmp_path / "completions_00005.jsonl", of_trl(5, RIGHT, RIGHT))
    longer = bring(store, home, tmp_path)
    assert longer.id == first.id
    assert [rollout.step for rollout in store.rollouts(first.id)] == [1, 1, 2, 2, 5, 5]
    assert "of 1 to 5, the others are not in the log" in longer.reason


def test_a_step_that_is_spread_over_files_is_put_together(store: Store, home: Home, tmp_path: Path) -> None:
    for rank in ("a", "b"):
        write(tmp_path / f"rank-{rank}.jsonl", [*of_trl(1, RIGHT, WRONG), *of_trl(2, WRONG)])
    job = bring(store, home, tmp_path)
    assert [rollout.step for rollout in store.rollouts(job.id)] == [1] * 4 + [2] * 2


def test_a_log_that_is_written_meanwhile_is_kept_up_with(store: Store, home: Home, tmp_path: Path) -> None:
    file = write(tmp_path / "log.jsonl", of_trl(1, RIGHT))
    job = queue_import(store, home, imported_config(tmp_path, DEMO))
    config = stored_config(job.spec)
    assert isinstance(config, ImportedConfig)

    def grow() -> None:
        wait_for(lambda: len(store.rollouts(job.id)) == 1)
        with file.open("a") as log:
            log.write(json.dumps(of_trl(1, WRONG)[0]) + "\n" + json.dumps(of_trl(2, WRONG)[0])[:20])
        wait_for(lambda: len(store.rollouts(job.id)) == 2)
        (tmp_path / "half.parquet").write_bytes(b"PAR1 half")
        write(file, [*of_trl(1, RIGHT, WRONG), *of_trl(2, WRONG)])
        wait_for(lambda: len(store.rollouts(job.id)) == 3)
        store.request_stop(job.id)

    writer = threading.Thread(target=grow)
    writer.start()
    with job_process(store, job.id) as process:
        bring_in(process, home, config, idle_s=float("inf"))
    writer.join()
    assert store.job(job.id).status == "stopped"
    assert [(rollout.step, rollout.position) for rollout in store.rollouts(job.id)] == [(1, 0), (1, 1), (2, 0)]


def wait_for(condition: Callable[[], bool]) -> None:
    stop = threading.Event()
    while not condition():
        stop.wait(0.05)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_our_own_ledger_comes_back_as_it_was(ending: str, store: Store, home: Home, tmp_path: Path) -> None:
    run = store.create_job("train", "demo", {"source": "demo"})[0].id
    rollouts = [
        Rollout(step, 0, place, PROBLEM.id, text, score_completion(text, PROBLEM.gold), 1.5, 0.25, 9, "length")
        for step in (1, 2)
        for place, text in enumerate((RIGHT, WRONG))
    ]
    store.record(run, rollouts=rollouts)
    file = tmp_path / f"rollouts.{ending}"
    with file.open("wb") as out:
        if ending == "parquet":
            write_parquet(store, run, out)
        else:
            out.writelines(rollout_lines(store, run))
    assert len(pd.read_json(file, lines=True) if ending == "jsonl" else pd.read_parquet(file)) == 4
    job = bring(store, home, file, verifier="correctness")
    assert store.rollouts(job.id) == rollouts


def test_a_ledger_without_completions_is_a_file_without_rows(store: Store, tmp_path: Path) -> None:
    run = store.create_job("train", "demo", {"source": "demo"})[0].id
    with (tmp_path / "none.parquet").open("wb") as out:
        write_parquet(store, run, out)
    assert len(pd.read_parquet(tmp_path / "none.parquet")) == 0


def test_two_judges_are_held_against_each_other_on_an_imported_run(store: Store, home: Home, tmp_path: Path) -> None:
    written = f"<answer>${PROBLEM.gold}.00</answer>"
    rows = [*of_trl(1, RIGHT, WRONG, written), *of_trl(1, WRONG, question="What is this about?")]
    part = Part(bring(store, home, write(tmp_path / "1.jsonl", rows)).id)
    assert usual_judges(store, part) == ("value_correctness", "accuracy")
    by_log = disagreement_of(store, part, ("value_correctness", "accuracy"), {})
    asked_now = disagreement_of(store, part, ("value_correctness", "correctness"), {PROBLEM.id: PROBLEM.gold})
    assert by_log.tallies == asked_now.tallies
    assert by_log.by_problem[0] == Tally(PROBLEM.id, 0, 1, 1, 0, 1, 0)
    assert by_log.by_problem[1].unjudged == 1
    (answer,) = by_log.differing
    mark_answer(store, part.job_id, by_log.judges, answer.key, "right", "me")
    _, positive, negative, _ = error_rates(by_log, marked_answers(store, part.job_id, by_log.judges))
    assert (positive.errors, negative.errors) == (0, 1)
    assert negative.rate is not None
    assert negative.rate.value == pytest.approx(0.5)


def test_health_other_weights_and_the_report_work_on_an_imported_run(store: Store, home: Home, tmp_path: Path) -> None:
    for step in range(1, 13):
        write(tmp_path / f"{step}.jsonl", of_trl(step, RIGHT, WRONG) if step == 1 else of_trl(step, WRONG, WRONG))
    job = bring(store, home, tmp_path)
    assert "flat_wrong" in examine(store, job.id).findings
    assert reweigh(store, job.id, {"accuracy": 2.0}).rollouts == 24
    assert "completions" in report_html(store, home, job.id)


def test_trls_own_log_of_a_run_is_what_trl_counted(
    store: Store, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    def length(completions: list[Any], **columns: Any) -> list[float]:
        return [len(completion[0]["content"]) % 7 / 10 for completion in completions]

    prompts = [[{"role": "user", "content": problem.question}] for problem in DEMO.of_split("train")]
    out = tmp_path / "trl"
    config = GRPOConfig(
        output_dir=str(out),
        max_steps=3,
        num_generations=2,
        per_device_train_batch_size=4,
        max_completion_length=8,
        temperature=2.0,
        logging_steps=1,
        save_steps=3,
        log_completions=True,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    data = Dataset.from_list([{"prompt": prompt} for prompt in prompts])
    trainer = GRPOTrainer(str(DEMO_MODEL), reward_funcs=[length], args=config, train_dataset=data)
    trainer.train()
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("training.command_line.importing.load_problems", lambda source, home: DEMO)
    assert main(["import", str(out), "--source", "demo"]) == 0
    assert "run_id: import-1" in capsys.readouterr().out
    assert not any(rollout.problem_id.startswith(UNKNOWN) for rollout in store.rollouts("import-1"))
    logged = {entry["step"]: entry for entry in trainer.state.log_history if "reward" in entry}
    for scalar in store.scalars("import-1"):
        if scalar.name in ("reward", "reward_std", "rewards/length/mean", "frac_reward_zero_std", "loss"):
            assert scalar.value == pytest.approx(logged[scalar.step][scalar.name], abs=1e-4), scalar.name
    assert {rollout.step for rollout in store.rollouts("import-1")} == {1, 2, 3}
    assert main(["rollouts", "import-1", "--out", str(tmp_path / "ledger.parquet")]) == 0
    assert len(pd.read_parquet(tmp_path / "ledger.parquet")) == 12
