"""What a source left out, in words, for every command and page that uses its problems."""

from training.data.problem import SPLITS, ProblemSet
from training.text import count, words_listed

_REASONS = 3


def left_out(problem_set: ProblemSet) -> str:
    """One sentence on the rows that could not be read, with the commonest reasons; empty where there are none."""
    rejected = problem_set.rejected
    if not rejected:
        return ""
    parts = []
    for split in SPLITS:
        out = sum(rejection.split == split for rejection in rejected)
        if out:
            parts.append(f"{out:,} of {count(out + len(problem_set.whole.of_split(split)), f'{split} row')}")
    if unknown := sum(rejection.split not in SPLITS for rejection in rejected):
        parts.append(f"{count(unknown, 'row')} of no split")
    reasons = [f"{reason} ({number:,})" for reason, number in list(problem_set.rejections.items())[:_REASONS]]
    more = len(problem_set.rejections) - _REASONS
    others = f"; {count(more, 'further reason')}" if more > 0 else ""
    return f"{words_listed(parts)} left out: {'; '.join(reasons)}{others}. The first: {rejected[0]}."
