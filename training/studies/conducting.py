"""The job that conducts a study: launches its runs one after another, goes on with what was stopped, and ends them as one.

Its runs are jobs of their own, which outlive it. What there is to do follows from the runs on record, looked at every time, so
that a study whose process was killed goes on where it stood, and one that was given further seeds launches those too.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

from training.errors import AtlasError, StoreError, StudyError
from training.home import Home
from training.jobs.job_process import JobProcess, StopRequested
from training.jobs.kinds import JobType
from training.runs.launch import launch_run, launch_stages, prepare_run, resume_run, stop_run
from training.store import Job, Store
from training.store.patience import patiently
from training.studies.members import Key, Member, key_of, members_of
from training.studies.plan import PlannedRun, StudySpec, planned_runs
from training.studies.search import Trials
from training.text import agree, count

T = TypeVar("T")

_POLL_S = 1.0
_NAMED = 3
_NAMED_EXACTLY = frozenset(("model", "source", "subset"))
"""Settings that are on record otherwise than they are told, see `prepare_run`."""


class Chooser(Protocol):
    """What says which run comes next."""

    def next(self, members: list[Member]) -> PlannedRun | None:
        """The next run that is not on record; `None` once there is none, or while it depends on one that is not done."""

    def behind(self, members: list[Member]) -> list[Member]:
        """Those that need not go on, or be gone on with."""


class Combinations:
    """Every combination with every seed."""

    def __init__(self, spec: StudySpec, key: Callable[[PlannedRun], Key]) -> None:
        self._planned = [(key(planned), planned) for planned in planned_runs(spec)]

    def next(self, members: list[Member]) -> PlannedRun | None:
        known = {member.key for member in members}
        return next((planned for key, planned in self._planned if key not in known), None)

    def behind(self, members: list[Member]) -> list[Member]:
        return []


class _Conductor:
    """A study at work."""

    def __init__(self, process: JobProcess, home: Home) -> None:
        self._process, self._home, self._store = process, home, process.store
        self._look()
        self._again = {job.id for member in self._members for job in member.unfinished}
        """Runs that had ended before their end when this process came up, each of which is gone on with once."""

    def _look(self) -> None:
        """Read what is on record of the study, which may have been given further seeds."""
        found = self._process.patiently(lambda: self._store.job(self._process.job.id))
        self._spec = StudySpec.model_validate(found.spec)
        self._members = self._process.patiently(lambda: members_of(self._store, found.id, self._spec))

    def _chooser(self) -> Chooser:
        if self._spec.search is not None:
            return Trials(self._spec, self._spec.search, self._store)
        return Combinations(self._spec, self._key)

    def _key(self, planned: PlannedRun) -> Key:
        config = planned.config
        if not _NAMED_EXACTLY.isdisjoint(self._spec.vary):  # else it need not be known how they are on record
            config, _ = prepare_run(self._store, self._home, config)
        return key_of(self._spec, config, planned.first, planned.seed)

    def conduct(self) -> list[Member]:
        """Launch and go on with runs until none is left to do; return those that were left behind."""
        spec, chooser = None, None
        while True:
            self._look()
            if chooser is None or self._spec != spec:
                spec, chooser = self._spec, self._chooser()
            self._tell()
            self._process.check_stop()
            left_behind = chooser.behind(self._members)
            for member in left_behind:
                self._stop(member)
            active = [member for member in self._members if member.active]
            if len(active) < spec.at_once and not self._one_more(chooser, left_behind) and not active:
                return left_behind
            time.sleep(_POLL_S)

    def _one_more(self, chooser: Chooser, left_behind: list[Member]) -> bool:
        """Go on with a run that has ended before its end, or launch the next; whether there was one."""
        gone_on = [member for member in self._members if member not in left_behind]
        job = next((job for member in gone_on for job in member.unfinished if job.id in self._again), None)
        if job is not None:
            self._again.remove(job.id)
            self._go_on(job)
            return True
        planned = chooser.next(self._members)
        if planned is None:
            return False
        self._launch(planned)
        return True

    def _go_on(self, job: Job) -> None:
        try:
            self._act(lambda: resume_run(self._store, self._home, job.id))
        except AtlasError as error:  # it is named at the end, with what it ended with
            print(f"{job.id} cannot go on: {error}", flush=True)

    def _launch(self, planned: PlannedRun) -> None:
        first, study = planned.first, self._process.job.id
        where: tuple[Store, Home] = (self._store, self._home)
        print(f"launching {planned.arm.label}, seed {planned.seed}", flush=True)
        if first is None:
            self._act(lambda: launch_run(*where, planned.config, self._spec.backend, study=study))
        else:
            self._act(lambda: launch_stages(*where, first, planned.config, self._spec.backend, study=study))

    def _stop(self, member: Member) -> None:
        for job in member.stages:
            if job.active:
                with suppress(StoreError):  # it has ended meanwhile
                    self._act(partial(self._ask_to_stop, job.id))

    def _ask_to_stop(self, run_id: str) -> None:
        if not self._store.stop_requested(run_id):
            print(stop_run(self._store, self._home, run_id), flush=True)

    def _act(self, call: Callable[[], T]) -> T:
        """What a call that changes a run returns, as soon as the store can be reached; what it raises is about the run."""
        return patiently(call, lambda: self._process.signalled)

    def _tell(self) -> None:
        done = sum(member.finished for member in self._members)
        active = ", ".join(member.run.id for member in self._members if member.active)
        told = f"{done:,} of {count(self._spec.runs, 'run')} finished" + (f"; at work: {active}" if active else "")
        self._process.progress(done, self._spec.runs, told)

    def end_runs(self) -> None:
        """Have every run stop, and wait until none is active."""
        while True:
            self._look()
            self._tell()
            active = [member for member in self._members if member.active]
            if not active:
                return
            for member in active:
                self._stop(member)
            time.sleep(_POLL_S)

    def check_all_finished(self, left_behind: list[Member]) -> None:
        """Raise `StudyError` if a run has ended before its end, which was not meant to."""
        failed = [member for member in self._members if member not in left_behind and not member.finished]
        if not failed:
            return
        named = "; ".join(f"{member.run.id} ({member.arm.label}): {member.reason.rstrip('.')}" for member in failed[:_NAMED])
        more = f"; and {len(failed) - _NAMED:,} more" if failed[_NAMED:] else ""
        did = agree(len(failed), "run did", "runs did")
        raise StudyError(
            f"{len(failed):,} {did} not finish: {named}{more}.",
            f"`python -m training resume {self._process.job.id}` goes on with them.",
        )


def conduct(process: JobProcess, home: Home, spec: StudySpec) -> None:
    """Conduct a study as the job, in this process.

    Raises:
        StopRequested: the study was asked to stop, and its runs have.
        StudyError: a run failed, was stopped or lost.
        AtlasError: a run could not be launched.
    """
    process.begin()
    conductor = _Conductor(process, home)
    try:
        left_behind = conductor.conduct()
    except StopRequested:
        conductor.end_runs()
        raise
    conductor.check_all_finished(left_behind)


STUDY = JobType("study", StudySpec.model_validate, conduct, scores=True, goes_on=True)
"""Studies: `study`."""
