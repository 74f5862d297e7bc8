"""Which evaluations there are, under names for people: a run's own, and those of checkpoints and models measured alone.

Nothing here knows Streamlit, and nothing reads completions.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.evaluation.asking import CHAT, PROMPT_STYLES
from training.evaluation.recorded import IMPORTED
from training.evaluation.scaling import SEARCHES
from training.rewards.forms import TAGS, form_of
from training.store import Job
from training.store.evaluations import Heading
from training.text import count


@dataclass(frozen=True)
class Measured:
    """One complete evaluation as people choose it."""

    heading: Heading
    title: str
    """`demo-1 before`, `evaluate-3: demo-1, step 50`."""
    subject: str
    """The run whose model was measured; the job itself where that was no run's."""
    source: str
    """The problems' source; evaluations of other sources have nothing to compare."""
    content_hash: str
    """Of the problems; empty for what was measured before hashes were kept."""
    settings: str
    """How completions were drawn, so that a difference in that is not taken for one in skill."""
    is_run: bool
    """Whether a run made it, and no job that measures a model alone."""
    is_search: bool = False
    """Whether its completions were found by a search."""

    def has_problems_of(self, other: "Measured") -> bool:
        """Whether both are of the same problems."""
        return self.source == other.source and (
            self.content_hash == other.content_hash or not (self.content_hash and other.content_hash)
        )

    @property
    def id(self) -> str:
        """As the address names it."""
        return f"{self.heading.job_id}:{self.heading.label}"


def catalogue(
    headings: Iterable[Heading], jobs: Mapping[str, Job], checkpoints: Mapping[str, tuple[str, int]]
) -> list[Measured]:
    """Every evaluation whose job is known: runs before models measured alone, newest first, those of a job as they were made.

    Args:
        checkpoints: folder -> (run, step), to tell whose model was measured.
    """
    found = [_measured(heading, jobs[heading.job_id], checkpoints) for heading in headings if heading.job_id in jobs]
    return sorted(found, key=lambda measured: _order(jobs[measured.heading.job_id]))


def sampled_catalogue(entries: Iterable[Measured], jobs: Mapping[str, Job], imported: Iterable[Job]) -> list[Measured]:
    """Those with several completions a problem, and imported files of samples behind them.

    Args:
        jobs: of the entries, by id.
        imported: the jobs of imported files whose completions are of one step.
    """
    files = [
        Measured(
            Heading(0, job.id, IMPORTED, 0, ""),  # a number that no evaluation has
            f"{job.id}: {Path(str(job.spec.get('path', ''))).name}",
            job.id,
            str(job.spec.get("source", "")),
            str(job.spec.get("content_hash", "")),
            "imported",
            True,
        )
        for job in imported
    ]
    return [found for found in entries if _completions(found, jobs[found.heading.job_id]) > 1] + files


def _completions(measured: Measured, job: Job) -> int:
    """Of each problem."""
    return int(job.spec.get("evaluation_samples" if measured.is_run else "samples", 1))


def model_title(model: str, checkpoints: Mapping[str, tuple[str, int]]) -> str:
    """A model's name for people: `demo-1, step 50` for a checkpoint, the last two parts of another folder or URL."""
    if model in checkpoints:
        run, step = checkpoints[model]
        return f"{run}, step {step:,}"
    return "/".join(Path(model).parts[-2:]) if model.startswith("/") or "://" in model else model


def default_ids(entries: Sequence[Measured], job_id: str) -> tuple[str, ...]:
    """A job's first and last evaluation: before and after of a finished run, the one of a model."""
    own = [measured.id for measured in entries if measured.heading.job_id == job_id]
    return tuple(dict.fromkeys((own[0], own[-1]))) if own else ()


def first_job(entries: Sequence[Measured]) -> str:
    """The first job with two evaluations to hold against each other, else the first of all."""
    times = Counter(measured.heading.job_id for measured in entries)
    return next((job_id for job_id, number in times.items() if number > 1), next(iter(times)))


def short_titles(entries: Sequence[Measured]) -> dict[str, str]:
    """Id -> title; what all share, one run, is left out: `before`, `step 50`, `after`."""
    if len({measured.heading.job_id for measured in entries}) == 1 and len(entries) > 1:
        return {measured.id: _label(measured.heading) for measured in entries}
    return {measured.id: measured.title for measured in entries}


def _order(job: Job) -> tuple[bool, int]:
    return job.kind == "evaluate", -job.seq


def _measured(heading: Heading, job: Job, checkpoints: Mapping[str, tuple[str, int]]) -> Measured:
    problems = str(job.spec.get("source", "")), str(job.spec.get("content_hash", ""))
    if job.kind != "evaluate":
        return Measured(heading, f"{job.id} {_label(heading)}", job.id, *problems, _settings(job.spec, "evaluation_"), True)
    model = str(job.spec.get("model", ""))
    subject = checkpoints[model][0] if model in checkpoints else job.id
    title = ", ".join(filter(None, [f"{job.id}: {model_title(model, checkpoints)}", search_title(job.spec)]))
    return Measured(heading, title, subject, *problems, _settings(job.spec, ""), False, bool(search_title(job.spec)))


def _label(heading: Heading) -> str:
    return f"step {heading.step:,}" if heading.label.startswith("step-") else heading.label


def search_title(spec: Mapping[str, Any]) -> str:
    """What a search is called; empty for none."""
    return next((title for name, title in SEARCHES.items() if name == spec.get("search")), "")


def _settings(spec: Mapping[str, Any], prefix: str) -> str:
    temperature, samples = spec.get(f"{prefix}temperature", 0), spec.get(f"{prefix}samples", 1)
    drawn = "the likeliest token each time" if temperature == 0 else f"temperature {temperature:g}"
    each = "" if samples == 1 else f", {samples} completions a problem"
    name = form_of(spec).name
    form = "" if name == TAGS.name else f", answers marked by {name}"
    if search := search_title(spec):
        drawn = f"{search} of width {spec.get('beam_width', 4)} guided by {spec.get('judge')}, {drawn}"
    return f"{drawn}{each}, at most {spec.get('max_completion_length', '?')} tokens{asked_words(spec)}{form}"


def asked_words(spec: Mapping[str, Any]) -> str:
    """How questions were put, where that is not as runs do: `, as in lm-evaluation-harness, 5 worked examples (seed 1234)`."""
    style = PROMPT_STYLES.get(spec.get("prompt_style", "chat"), CHAT)
    put = "" if style is CHAT else f", {style.title.lower()}"
    prompt = "" if spec.get("system_prompt", style.system_prompt) == style.system_prompt else ", another system prompt"
    shots = spec.get("shots", 0)
    return put + prompt + (f", {count(shots, 'worked example')} (seed {spec.get('seed')})" if shots else "")
