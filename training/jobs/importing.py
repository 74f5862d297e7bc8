"""The kind of job that reads another trainer's log into the ledger, and keeps up with one that is still written."""

import json
import math
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.data.rows import LINE_BYTES
from training.errors import RewardError, SourceError
from training.groups import Rollout, advantages, groups_of, weighted_total
from training.home import Home
from training.imports.logs import Layout, LeftOut, Logged, layout_of, log_files, logged_rows, step_in_name
from training.imports.matching import UNKNOWN, Questions
from training.jobs.job_process import JobProcess
from training.jobs.kinds import JobType
from training.rewards import REWARDS
from training.rewards.forms import FORMS, TAGS, form_named
from training.rewards.rows import reward_row
from training.store import Job, Progress, Store
from training.store.job_search import jobs_with
from training.stored_config import ImportedConfig, stored_config
from training.text import agree, count

POLL_S = 1.0
IDLE_S = 600.0
"""A log that nobody wrote to for so long is taken to be complete."""
_LOOKED_AT = 200
"""The first completions, which show what rewards there are and how answers are marked."""

Scalars = Mapping[int, Mapping[str, float]]
"""Step -> name -> value."""


def imported_config(
    path: Path, problem_set: ProblemSet, columns: Mapping[str, str] | None = None, verifier: str = ""
) -> ImportedConfig:
    """What is known of a log: how it is written, its rewards, and how its answers are marked.

    Args:
        columns: the mapping by which it is read, see `training.imports.logs.NAMES`.
        verifier: the reward that says what is right, of the log or of this program; empty for the log's own label where it has
            one, else one that fits the gold answers.

    Raises:
        SourceError: there is no log there, its columns are not known, or it is of other problems.
    """
    files, mapping = log_files(path), dict(columns or {})
    layout = layout_of(files, mapping)
    bad = LeftOut()
    first = list(islice(_all_rows(files, layout, bad), _LOOKED_AT))
    if not first:
        why = f": {bad.first}" if bad.first else ""
        raise SourceError(f"No completion in {path} can be read{why}.", "Correct the file, or name its columns by --columns.")
    questions = Questions(problem_set.problems)
    if all(questions.problem_of(logged.prompt, logged.problem_id).startswith(UNKNOWN) for logged in first):
        raise SourceError(
            f"None of the first {count(len(first), 'completion')} of {path} is of a problem of {problem_set.name}.",
            "Name the problems that the run was trained on, on the command line with --source.",
        )
    names = list(dict.fromkeys(name for logged in first for name in logged.rewards))
    weights = {name: 1.0 if layout.total in ("", name) else 0.0 for name in names}
    forms = {name: sum(form.has_block(logged.completion) for logged in first) for name, form in FORMS.items()}
    best = max(forms, key=lambda name: forms[name])
    plain = all(problem.gold_kind in ("number", "none") for problem in problem_set.problems)
    return ImportedConfig(
        model=layout.name,
        source=problem_set.source,
        content_hash=problem_set.content_hash,
        rewards=weights,
        verifier=verifier or layout.right or ("value_correctness" if plain else "math"),
        answer_form=best if forms[best] else TAGS.name,
        path=str(path),
        layout=layout.name,
        columns=mapping,
    )


def queue_import(store: Store, home: Home, config: ImportedConfig) -> Job:
    """The job that reads a log: the one that read it before, where there is one, else a new one."""
    known = jobs_with(store, ("import",), path=config.path, source=config.source)
    before = next((job for job in known if _is_same(job, config)), None)
    if before is None:
        return store.create_job("import", "import", config.model_dump(mode="json"), taken=home.folders_there())[0]
    return before if before.active else store.requeue(before.id, also_finished=True)


def _is_same(job: Job, config: ImportedConfig) -> bool:
    return all(job.spec.get(name) == getattr(config, name) for name in ("columns", "content_hash", "verifier"))


def bring_in(process: JobProcess, home: Home, config: ImportedConfig, *, idle_s: float = IDLE_S) -> None:
    """Read the log as the job, in this process, and go on until nobody has written to it for `idle_s`.

    Raises:
        StopRequested: the job was asked to stop; what was read is on record.
        SourceError: the problems or the log cannot be read.
    """
    problem_set = load_problems(config.source, home)
    problem_set.require_content(config.content_hash)
    process.begin()
    reader = _Reader(process, config, problem_set)
    changed_at = time.monotonic()
    while True:
        if reader.look():
            changed_at = time.monotonic()
            process.reason = reader.summary()
            print(*reader.reasons(), sep="\n", flush=True)
            process.progress(
                reader.last_step, reader.last_step, f"{process.reason}; waits for more" if idle_s else process.reason
            )
        if time.monotonic() - changed_at >= idle_s:
            return
        process.check_stop()
        time.sleep(POLL_S)


class _Reader:
    """Reads what is new of a log into the job's ledger."""

    def __init__(self, process: JobProcess, config: ImportedConfig, problem_set: ProblemSet) -> None:
        self._process = process
        self._config = config
        self._path = Path(config.path)
        self._problems = {problem.id: problem for problem in problem_set.problems}
        self._questions = Questions(problem_set.problems)
        layout = layout_of(log_files(self._path), config.columns)
        # What was no number in one row is a reward all the same, and its row is left out for it.
        self._layout = layout if layout.rewards or not config.rewards else replace(layout, rewards=tuple(config.rewards))
        self._seen: dict[Path, tuple[int, int]] = {}
        """File -> its size and the time of its change when it was read."""
        self._sizes: dict[Path, Counter[int]] = {}
        """File -> how many completions of each step it had."""
        self._left_out: dict[Path, LeftOut] = {}
        self._unread: dict[Path, str] = {}
        self._unknown: set[str] = set()

    def look(self) -> bool:
        """Read the files that changed since the last time; whether there were any."""
        states = {file: (stat.st_size, stat.st_mtime_ns) for file in log_files(self._path) if (stat := _stat(file))}
        changed = [file for file, state in states.items() if self._seen.get(file) != state]
        logged = trainer_scalars(self._path) if changed else {}
        for batch in _apart(changed):
            self._read_files(batch, logged)
            self._seen |= {file: states[file] for file in batch}
            self._process.check_stop()
        return bool(changed)

    def summary(self) -> str:
        """What was read and what was not, in a sentence."""
        steps = sorted(set[int]().union(*self._sizes.values()))
        read = f"{count(len(steps), 'step')} read"
        if steps and len(steps) < steps[-1] - steps[0] + 1:
            read += f" of {steps[0]:,} to {steps[-1]:,}, the others are not in the log"
        reasons = self._reasons()
        told = []
        if reasons:
            first = next(left_out.first for left_out in self._left_out.values() if left_out.first)
            told.append(f"{count(reasons.total(), 'row')} left out, the first {first}")
            told += [f"{count(len(reasons) - 1, 'other reason')}, see the log"] if len(reasons) > 1 else []
        if self._unknown:
            told.append(
                f"{count(len(self._unknown), 'prompt')} {agree(len(self._unknown), 'asks', 'ask')} no problem of the source"
            )
        told += [f"{path.name} cannot be read: {problem}" for path, problem in self._unread.items()]
        return "; ".join([read, *told])

    @property
    def last_step(self) -> int:
        """0 before there is any."""
        return max((step for sizes in self._sizes.values() for step in sizes), default=0)

    def reasons(self) -> list[str]:
        """Why rows were left out, each reason with its number."""
        return [f"{count(number, 'row')} left out: {reason}" for reason, number in self._reasons().items()]

    def _reasons(self) -> Counter[str]:
        return sum((Counter(left_out.reasons) for left_out in self._left_out.values()), Counter[str]())

    def _read_files(self, batch: Sequence[Path], logged: Scalars) -> None:
        """Record the steps of which these files have more than before, each with what other files have of it."""
        rows: dict[Path, list[Logged]] = {file: self._rows_of(file) for file in batch}
        touched: set[int] = set()
        for file, found in rows.items():
            sizes = Counter(row.step for row in found)
            touched |= {step for step, size in sizes.items() if size != self._sizes.get(file, Counter())[step]}
            self._sizes[file] = sizes
        others = [file for file, sizes in self._sizes.items() if file not in rows and touched & sizes.keys()]
        rows |= {file: self._rows_of(file) for file in others}
        for step in sorted(touched):
            self._record(step, [row for file in sorted(rows) for row in rows[file] if row.step == step], logged)

    def _rows_of(self, file: Path) -> list[Logged]:
        self._left_out[file] = left_out = LeftOut()
        self._unread.pop(file, None)
        try:
            return list(logged_rows(file, self._layout, left_out))
        except SourceError as error:  # it may be half written
            self._unread[file] = error.problem
            return []

    def _record(self, step: int, rows: Sequence[Logged], logged: Scalars) -> None:
        rollouts = self._rollouts(step, rows)
        scalars = _scalars_of(rollouts) | dict(logged.get(step, {}))
        message = f"read step {step:,}"
        progress = Progress(step, step, message)
        self._process.patiently(
            lambda: self._process.store.record(
                self._process.job.id, rollouts=rollouts, scalars=[(step, scalars)], progress=progress
            )
        )

    def _rollouts(self, step: int, rows: Sequence[Logged]) -> list[Rollout]:
        """The completions of a step in groups, judged, with the advantages of the log or those that GRPO would give."""
        groups: dict[str, list[Logged]] = defaultdict(list)
        for row in rows:
            problem_id = self._questions.problem_of(row.prompt, row.problem_id)
            groups[problem_id].append(row)
            if problem_id.startswith(UNKNOWN):
                self._unknown.add(problem_id)
        weights = self._config.reward_weights
        rollouts = [
            Rollout(
                step,
                index,
                position,
                problem_id,
                row.completion,
                dict(row.rewards),
                weighted_total(row.rewards, weights) if row.total is None else row.total,
                row.advantage or 0.0,
                row.tokens,
                row.finish_reason,
            )
            for index, (problem_id, members) in enumerate(groups.items())
            for position, row in enumerate(members)
        ]
        if all(row.advantage is None for row in rows):
            found = advantages(rollouts, weights)
            rollouts = [replace(rollout, advantage=value) for rollout, value in zip(rollouts, found, strict=True)]
        return self._judged(rollouts)

    def _judged(self, rollouts: list[Rollout]) -> list[Rollout]:
        """With the verifier's value, where it is a function of this program and the log has none of that name."""
        name = self._config.verifier
        if name not in REWARDS or any(name in rollout.rewards for rollout in rollouts):
            return rollouts
        known = [row for row, rollout in enumerate(rollouts) if rollout.problem_id in self._problems]
        problems = [self._problems[rollouts[row].problem_id] for row in known]
        try:
            values = REWARDS[name].score_all(
                [rollouts[row].completion for row in known],
                [problem.gold for problem in problems],
                [reward_row(problem, self._config.prompting.messages(problem.question)) for problem in problems],
                form_named(self._config.answer_form),
            )
        except RewardError as error:
            print(f"warning: {error}", flush=True)
            values = [None] * len(known)
        found = dict(zip(known, values, strict=True))
        return [replace(rollout, rewards=rollout.rewards | {name: found.get(row)}) for row, rollout in enumerate(rollouts)]


def trainer_scalars(path: Path) -> Scalars:
    """What transformers' Trainer kept of each step beside its log: the newest `trainer_state.json` of a folder."""
    folder = path if path.is_dir() else path.parent
    files = [file for pattern in ("trainer_state.json", "checkpoint-*/trainer_state.json") for file in folder.glob(pattern)]
    newest = max(files, key=lambda file: file.stat().st_mtime_ns, default=None)
    if newest is None or newest.stat().st_size > LINE_BYTES:
        return {}
    try:
        history = json.loads(newest.read_text(encoding="utf-8"))["log_history"]
        found: dict[int, dict[str, float]] = defaultdict(dict)
        for entry in history:
            numbers = {name: float(value) for name, value in entry.items() if isinstance(value, int | float) and name != "step"}
            found[int(entry["step"])] |= {name: value for name, value in numbers.items() if math.isfinite(value)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # half written, or another program's
    return found


def _scalars_of(rollouts: Sequence[Rollout]) -> dict[str, float]:
    """What TRL logs of a step, as far as the completions tell it."""
    totals = [rollout.total for rollout in rollouts if rollout.total is not None]
    names = {name for rollout in rollouts for name in rollout.rewards}
    groups = groups_of(rollouts)
    found = {"frac_reward_zero_std": fmean(group.is_flat for group in groups)}
    if totals:
        found |= {"reward": fmean(totals), "reward_std": stdev(totals) if len(totals) > 1 else 0.0}
    for name in names:
        values = [value for rollout in rollouts if (value := rollout.rewards.get(name)) is not None]
        if values:
            found[f"rewards/{name}/mean"] = fmean(values)
    return found


def _apart(files: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """Files one by one where each is of a step of its own by its name; else all at once, as they may share steps."""
    numbers = [step_in_name(file) for file in files]
    if None not in numbers and len(set(numbers)) == len(numbers):
        yield from ([file] for file in files)
    elif files:
        yield files


def _all_rows(files: Iterable[Path], layout: Layout, left_out: LeftOut) -> Iterator[Logged]:
    for file in files:
        with suppress(SourceError):  # it may be half written; the reader tells it
            yield from logged_rows(file, layout, left_out)


def _stat(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None


def _parse(spec: Mapping[str, Any]) -> ImportedConfig:
    config = stored_config(spec)
    assert isinstance(config, ImportedConfig)
    return config


IMPORT = JobType("import", _parse, bring_in, scores=True)
