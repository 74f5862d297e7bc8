"""Problems whose completions agree on another answer than the gold: there the gold may be wrong, or the question unclear.

Models agree on wrong answers too, small ones often. So this is a list to read, the surest first, and not a verdict.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from training.groups import Verifier
from training.rewards import COMPARING, REWARDS, verifier_of
from training.rewards.forms import AnswerForm, form_of
from training.store import Store
from training.store.evaluations import complete_evaluations
from training.store.schema import rollouts
from training.text import agree, count

MIN_COMPLETIONS = 4
"""Of a problem; fewer agree by chance."""

MIN_SHARE = 0.75
"""Of a problem's completions that give the same answer."""

_READ = 50_000
"""The newest rollouts of a run, from which the answers are read."""

Answered = tuple[str, str, Mapping[str, float | None]]
"""Problem id, completion, and its rewards."""


@dataclass(frozen=True)
class Agreed:
    """A problem whose completions agree on an answer that no function on record takes for the gold."""

    problem_id: str
    answer: str
    """As it is written most often."""
    agreeing: int
    completions: int

    @property
    def share(self) -> float:
        return self.agreeing / self.completions


@dataclass(frozen=True)
class Agreement:
    """What a job's completions say against the gold answers of its problems."""

    problems: int
    """With `MIN_COMPLETIONS` or more."""
    against_gold: tuple[Agreed, ...]
    """The largest share first, then the most completions."""

    @property
    def reading(self) -> str:
        if not self.problems:
            return f"No problem has {MIN_COMPLETIONS} completions yet, from which on they are compared with each other."
        found = len(self.against_gold)
        return (
            f"Of {count(self.problems, 'problem')} with at least {MIN_COMPLETIONS} completions, {found:,} "
            f"{agree(found, 'has', 'have')} {MIN_SHARE:.0%} or more that agree on another answer than the gold."
        )


def agreement_of(store: Store, job_id: str) -> Agreement:
    """What the completions of a run, or of an evaluation alone, agree on; of a long run its newest ones.

    Raises:
        StoreError: there is no such job.
    """
    spec = store.job(job_id).spec
    return find_agreement(_answered(store, job_id), verifier_of(spec), form_of(spec))


def find_agreement(answered: Iterable[Answered], verifier: Verifier, form: AnswerForm) -> Agreement:
    """The problems on which completions agree against the gold; those that mark no answer agree with none."""
    written: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    totals, right = Counter[str](), set[tuple[str, str]]()
    for problem_id, completion, rewards in answered:
        judged = verifier.is_right(rewards)
        if judged is None:
            continue
        totals[problem_id] += 1
        if not form.has_block(completion):
            continue
        vote = form.vote(completion)
        written[problem_id][vote][form.answer(completion)] += 1
        if judged or _is_gold_by_any(rewards):
            right.add((problem_id, vote))
    enough = [problem_id for problem_id, total in totals.items() if total >= MIN_COMPLETIONS]
    found = []
    for problem_id in enough:
        vote, spellings = max(written[problem_id].items(), key=lambda pair: pair[1].total(), default=("", Counter[str]()))
        if vote and (problem_id, vote) not in right and spellings.total() >= MIN_SHARE * totals[problem_id]:
            answer = spellings.most_common(1)[0][0]
            found.append(Agreed(problem_id, answer, spellings.total(), totals[problem_id]))
    found.sort(key=lambda agreed: (-agreed.share, -agreed.completions))
    return Agreement(len(enough), tuple(found))


def _is_gold_by_any(rewards: Mapping[str, float | None]) -> bool:
    """Whether one of the functions that compare an answer with the gold finds it there, however it is written."""
    values = ((rewards.get(name), REWARDS[name].maximum) for name in COMPARING)
    return any(value is not None and value >= maximum for value, maximum in values)


def _answered(store: Store, job_id: str) -> Iterable[Answered]:
    newest = (
        sa.select(rollouts.c.problem_id, rollouts.c.completion, rollouts.c.rewards)
        .where(rollouts.c.job_id == job_id)
        .order_by(rollouts.c.step.desc(), rollouts.c.seq.desc())
        .limit(_READ)
    )
    with store.reading() as connection:
        yield from ((row.problem_id, row.completion, row.rewards) for row in connection.execute(newest))
    for evaluation in complete_evaluations(store, job_id):
        yield from ((item.problem_id, item.completion, item.rewards) for item in evaluation.items)
