"""What pages read of studies: see `caching` for how it is kept."""

from dashboard.caching import cached
from dashboard.data import home, store
from training.errors import ConfigError
from training.store import Job
from training.studies.conducting import STUDY
from training.studies.launching import StudyCheck, check_study, spec_of, study_on_record
from training.studies.members import Member, members_of
from training.studies.plan import StudySpec
from training.studies.results import StudyResult, results_of

_STUDIES = 8
_CHECKED_S = 60


def studies() -> list[Job]:
    """All of them, newest first."""
    return store().jobs(STUDY.kind)


def varied_words(study: Job) -> str:
    """What a study varies; empty where that cannot be read."""
    try:
        return spec_of(study).words
    except ConfigError:
        return ""


def study_members(study_id: str) -> tuple[Job, StudySpec, list[Member]]:
    """A study, what it is told, and its runs as they stand now.

    Raises:
        UnknownJobError, ConfigError: as of `study_on_record`.
    """
    job, spec = study_on_record(store(), study_id)
    return job, spec, members_of(store(), study_id, spec)


def _reach(study_id: str) -> tuple[object, ...]:
    """The runs that have finished, and the attempt that did: what they came to changes no more."""
    *_, members = study_members(study_id)
    return tuple((member.run.id, member.run.attempt) for member in members if member.finished)


@cached(_STUDIES, by=_reach)
def study_results(study_id: str) -> StudyResult:
    """What a study's finished runs came to."""
    _, spec, members = study_members(study_id)
    return results_of(store(), spec, members)


@cached(_STUDIES, ttl_s=_CHECKED_S)
def study_check(spec_json: str) -> StudyCheck:
    """`check_study` without asking the Hub, looked at again after a while: disk and earlier runs change.

    Args:
        spec_json: the study's `StudySpec` as JSON.
    """
    return check_study(store(), home(), StudySpec.model_validate_json(spec_json), ask_hub=False)
