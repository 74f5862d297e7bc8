"""Does a reference solution hold: every equation recomputed exactly, its end against the gold answer, its reward.

What can be checked hangs on the data: a problem without a solution has no equations, a formula as gold answer is no number
that the article's rewards pay for. Each check says for how many problems it could be made; what could not be is no failure.

How an equation is recomputed is for `analysis.equations`, which rows can be read at all is for `training.data.problems`.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from analysis.equations import (
    SPACED_THOUSANDS,
    VERDICTS,
    EquationCheck,
    Verdict,
    check_equation,
    format_value,
    is_arithmetic,
    shorten,
)
from analysis.finding import Finding
from training.data.answers import HASHES
from training.data.problem import Equation, Problem
from training.rewards import BUILT_IN, REWARDS, SYMBOLIC_REWARD
from training.text import agree

RemarkKind = Literal[
    "wrong_equation", "gold_absent", "reward", "hundredfold", "unreadable_equation", "gold_not_last", "no_equations"
]
REMARK_KINDS: dict[RemarkKind, str] = {
    "wrong_equation": "An equation's result is neither its exact value nor that value rounded.",
    "gold_absent": "The gold answer stands nowhere in the solution's steps.",
    "reward": "The reference solution, written in the format asked for, does not earn every reward in full.",
    "hundredfold": "The gold answer is a hundred times the last result, or a hundredth of it: percent against a fraction, "
    "cents against dollars.",
    "unreadable_equation": "An equation is not plain arithmetic, so it cannot be recomputed.",
    "gold_not_last": "The last equation's result is not the gold answer, which stands elsewhere in the steps.",
    "no_equations": "The solution has no equations to recompute.",
}
"""What can be said of a problem, gravest for the data first; a rounded result is nothing to remark."""
FAILURE_KINDS: tuple[RemarkKind, ...] = ("wrong_equation", "gold_absent", "reward")
"""What makes a solution fail; the others are notes on solutions that may well be right."""
NOTE_KINDS = tuple(kind for kind in REMARK_KINDS if kind not in FAILURE_KINDS)
REMARK_TITLES: dict[RemarkKind, str] = {
    "wrong_equation": "wrong equation",
    "gold_absent": "gold answer nowhere",
    "reward": "reward missed",
    "hundredfold": "percent against fraction",
    "unreadable_equation": "unreadable equation",
    "gold_not_last": "another last result",
    "no_equations": "no equations",
}

Check = Literal["equations", "gold", "rewards", "symbolic"]
CHECKS: dict[Check, str] = {
    "equations": "The solution has equations, which are recomputed.",
    "gold": "The gold answer is looked for in the solution.",
    "rewards": "The gold answer is a number, and the solution is given to every reward.",
    "symbolic": "The gold answer is no plain number, and is given to the symbolic verifier as an answer to itself.",
}

_TEXT_NUMBER = re.compile(r"(?<![\d.,])(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)", re.ASCII)
_LATEX_MARKS = re.compile(r"\\(?:left|right|displaystyle|(?:math|text)[a-z]*|[,;:! ])|[\s${}]")


@dataclass(frozen=True, slots=True)
class Remark:
    """What speaks against one problem, or is to be noted of it."""

    problem_id: str
    kind: RemarkKind
    detail: str

    @property
    def is_failure(self) -> bool:
        return self.kind in FAILURE_KINDS


@dataclass(frozen=True)
class VerifierReport(Finding):
    """All checks of a set of problems."""

    question: ClassVar[str] = "Do the reference solutions hold?"
    method: ClassVar[str] = (
        "Every equation is recomputed with exact fractions, the gold answer is looked for in the steps, and the solution, "
        "written in the format asked for, is given to every reward; a gold answer that is no plain number, to math-verify."
    )

    problems: int
    equations: int
    counts: dict[RemarkKind, int]
    """Problems by kind of remark; a problem with several wrong equations counts once."""
    verdicts: dict[Verdict, int]
    """Equations by verdict."""
    remarks: tuple[Remark, ...]
    """In the order of the problems."""
    checked: dict[Check, int] = field(default_factory=dict)
    """For how many problems each check could be made."""
    uncompared: int = 0
    """Gold answers that the symbolic verifier does not find equal to themselves; they count as "reward" too."""

    @property
    def failing(self) -> int:
        """Problems with a failure."""
        return len({remark.problem_id for remark in self.remarks if remark.is_failure})

    @property
    def answer(self) -> str:
        if not any(self.checked.values()):
            return "They cannot be checked."
        if not self.failing:
            return "Yes."
        few, many = (self.failing <= share * self.problems for share in (0.01, 0.1))
        verdict = "Nearly all" if few else "Most" if many else "No"
        return f"{verdict}: {self.failing:,} of {self.problems:,} {agree(self.failing, 'does', 'do')} not."

    @property
    def numbers(self) -> str:
        """The equations first, then what asks for a look; what only limits the check is a note."""
        return f"{self._of_equations}; {self._of_golds} and {self._of_rewards}.{self._of_notes}"

    @property
    def _of_notes(self) -> str:
        listed = ", ".join(f"{REMARK_TITLES[kind]} {self.counts[kind]:,}" for kind in NOTE_KINDS if self.counts[kind])
        return f" Noted, and no failure: {listed}." if listed else ""

    @property
    def _of_equations(self) -> str:
        if not self.equations and self.problems:
            return "No solution has an equation to recompute"
        exact = f"{self.verdicts['exact']:,} of {self.equations:,} equations are exact"
        others = [f", {count:,} {verdict}" for verdict, count in self.verdicts.items() if verdict != "exact" and count]
        return f"{exact}{''.join(others)}"

    @property
    def _of_golds(self) -> str:
        if not self.checked.get("gold") and self.problems:
            return "solutions do not state their gold answers"
        return f"{self.counts['gold_absent']:,}{self._of('gold')} gold answers stand nowhere in the steps"

    @property
    def _of_rewards(self) -> str:
        """Solutions that miss something; of golds that are no numbers, those that the symbolic verifier cannot judge by."""
        if not self.checked.get("symbolic"):
            return f"{self.counts['reward']:,}{self._of('rewards')} solutions miss part of a reward"
        expressions = f"{self.uncompared:,}{self._of('symbolic')} gold answers that are no plain numbers"
        parts = [f"{expressions} cannot be compared by math-verify"]
        if self.checked["rewards"]:
            missing = self.counts["reward"] - self.uncompared
            parts.append(f"{missing:,}{self._of('rewards')} solutions with a number miss part of a reward")
        return ", ".join(reversed(parts))

    def _of(self, check: Check) -> str:
        """How many were looked at, where these are not all."""
        looked_at = self.checked.get(check, self.problems)
        return "" if looked_at == self.problems else f" of {looked_at:,}"


def check_problems(problems: Sequence[Problem]) -> VerifierReport:
    """Check every problem."""
    annotated = any(problem.equations for problem in problems)
    stated = _state_golds(problems)
    judged = _judge_symbolically(problems)
    remarks: list[Remark] = []
    verdicts: Counter[Verdict] = Counter()
    checked: Counter[Check] = Counter()
    for problem in problems:
        checks = _recompute(problem)
        verdicts.update(check.verdict for check in checks)
        made = _possible(problem, stated=stated)
        checked.update(made)
        remarks.extend(_remarks(problem, checks, made, annotated=annotated))
        if judged.get(problem.id, 1.0) != 1.0:
            remarks.append(_uncompared(problem))
    counts = Counter(kind for _, kind in {(remark.problem_id, remark.kind) for remark in remarks})
    return VerifierReport(
        problems=len(problems),
        equations=verdicts.total(),
        counts={kind: counts[kind] for kind in REMARK_KINDS},
        verdicts={verdict: verdicts[verdict] for verdict in VERDICTS},
        remarks=tuple(remarks),
        checked={check: checked[check] for check in CHECKS},
        uncompared=sum(value != 1.0 for value in judged.values()),
    )


def check_problem(problem: Problem) -> tuple[Remark, ...]:
    """What is to be said of one problem by itself, without the symbolic verifier; nothing where its solution holds."""
    return tuple(_remarks(problem, _recompute(problem), _possible(problem, stated=True), annotated=True))


def _possible(problem: Problem, *, stated: bool) -> set[Check]:
    """The checks that can be made of a problem.

    Args:
        stated: whether solutions without #### end in their gold answers here.
    """
    made: set[Check] = set()
    if problem.equations or _sum(problem) is not None:
        made.add("equations")
    if _states_gold(problem) and (stated or HASHES in problem.answer):
        made.add("gold")
    if problem.gold_kind != "none":
        made.add("rewards" if _is_plain_number(problem) else "symbolic")
    return made


def _has_solution(problem: Problem) -> bool:
    return bool(problem.steps) or HASHES in problem.answer


def _states_gold(problem: Problem) -> bool:
    """Whether the gold answer is to be expected in a solution: there is one, and it is no mere sum."""
    return problem.gold_kind != "none" and _has_solution(problem) and _sum(problem) is None


def _is_plain_number(problem: Problem) -> bool:
    return problem.gold_kind == "number" and "/" not in problem.gold


def _sum(problem: Problem) -> Equation | None:
    """A solution that is nothing but arithmetic, such as "( 290.0 / 2.0 )", as an equation with the gold answer."""
    if problem.equations or len(problem.steps) != 1 or HASHES in problem.answer or problem.gold_kind != "number":
        return None
    expression = problem.steps[0]
    return Equation(expression, problem.gold) if is_arithmetic(expression) else None


def _recompute(problem: Problem) -> list[EquationCheck]:
    alone = _sum(problem)
    return [check_equation(equation) for equation in (problem.equations if alone is None else (alone,))]


def _state_golds(problems: Sequence[Problem]) -> bool:
    """Whether solutions without #### mostly hold their gold answers: programs, for one, do not."""
    looked_at = [problem for problem in problems if HASHES not in problem.answer and _states_gold(problem)]
    return 2 * sum(map(_stands_in_solution, looked_at)) >= len(looked_at)


def _judge_symbolically(problems: Sequence[Problem]) -> dict[str, float | None]:
    """Problem id -> what the symbolic verifier says of its gold answer as an answer, where that is no plain number."""
    others = [problem for problem in problems if problem.gold_kind != "none" and not _is_plain_number(problem)]
    if not others:
        return {}
    golds = [problem.gold for problem in others]
    values = SYMBOLIC_REWARD.score_all([f"\\boxed{{{gold}}}" for gold in golds], golds)
    return {problem.id: value for problem, value in zip(others, values, strict=True)}


def _uncompared(problem: Problem) -> Remark:
    detail = f"math-verify does not find the gold answer {shorten(problem.gold)} equal to itself."
    return Remark(problem.id, "reward", detail)


def _remarks(
    problem: Problem, checks: Sequence[EquationCheck], made: Collection[Check], *, annotated: bool
) -> Iterator[Remark]:
    """What speaks against a problem, or is to be noted of it.

    Args:
        checks: of the problem's equations.
        made: the checks to make.
        annotated: whether equations are to be expected in a solution that ends in ####.
    """
    for check in checks:
        if check.verdict == "unreadable":
            yield Remark(problem.id, "unreadable_equation", f"{check.reason}.")
        elif check.verdict == "wrong" and check.value is not None:
            written = f"{shorten(check.equation.expression)} = {shorten(check.equation.result)}"
            yield Remark(problem.id, "wrong_equation", f"{written}, but it is {format_value(check.value)}.")
    ending = f"The gold answer is {shorten(problem.gold)}"
    if problem.equations:
        ending += f"; the last equation gives {shorten(problem.equations[-1].result)}"
    elif HASHES in problem.answer:
        ending += "; there is no equation"
    else:
        ending += ", which stands nowhere in the solution"
    if not checks and annotated and HASHES in problem.answer:
        yield Remark(problem.id, "no_equations", "No line of the solution has an annotated equation.")
    if (kind := _of_ending(problem, made)) is not None:
        yield Remark(problem.id, kind, f"{ending}.")
    if "rewards" in made and (missed := _missed_rewards(problem)):
        yield Remark(problem.id, "reward", f"For the gold answer {shorten(problem.gold)}: {', '.join(missed)}.")


def _of_ending(problem: Problem, made: Collection[Check]) -> RemarkKind | None:
    """What is to be said of the gold answer beside the solution's end."""
    is_absent = "gold" in made and not _stands_in_solution(problem)
    is_other = (
        bool(problem.equations) and problem.gold_kind == "number" and not _gives_gold(problem.equations[-1], problem.gold)
    )
    if is_other and _is_hundredfold(problem.equations[-1], problem.gold):
        return "hundredfold"
    return "gold_absent" if is_absent else "gold_not_last" if is_other else None


def _stands_in_solution(problem: Problem) -> bool:
    """Whether the gold answer stands in the solution, in whatever form."""
    if problem.gold_kind == "number" and _stands_in_steps(problem.steps, problem.gold):
        return True
    if problem.gold_kind == "number" and HASHES in problem.answer:
        return False
    if problem.gold_kind == "choice":
        return re.search(rf"(?<![^\W_]){re.escape(problem.gold)}(?![^\W_])", problem.answer) is not None
    if problem.gold_kind == "number" and "/" not in problem.gold:
        return _stands_in_steps([re.sub(r"\\!|\{,\}|\\,", "", step) for step in problem.steps], problem.gold)
    written = [problem.gold]
    if problem.gold_kind == "number":
        above, _, below = problem.gold.lstrip("-").partition("/")
        written += [f"\\frac{above}{below}", f"{above}\\over{below}"]
    solution = _bare(problem.answer)  # whose formulas may be cut into several steps
    return any(_bare(form) in solution for form in written)


def _bare(text: str) -> str:
    """Mathematics or words without what only sets them, and without case."""
    return _LATEX_MARKS.sub("", re.sub(r"\\[dtc]frac", r"\\frac", text)).casefold()


def _stands_in_steps(steps: Sequence[str], gold: str) -> bool:
    """Whether a number of the steps is the gold answer, its sign left out because "-$7" and "minus 7" occur."""
    text = "\n".join(steps)
    written = _TEXT_NUMBER.findall(text) + _TEXT_NUMBER.findall(SPACED_THOUSANDS.sub("", text))
    return _digits(gold) in map(_digits, written)


def _digits(number: str) -> tuple[str, str]:
    """Whole and decimal digits without what changes nothing; text, because a gold answer may have any length."""
    whole, _, decimals = number.lstrip("-").replace(",", "").partition(".")
    return whole.lstrip("0"), decimals.rstrip("0")


def _gives_gold(last: Equation, gold: str) -> bool:
    """Whether the last result is the gold answer, or is it once rounded; a percent sign is a unit here."""
    return check_equation(Equation(last.result.rstrip("% "), gold)).verdict in ("exact", "rounded")


def _is_hundredfold(last: Equation, gold: str) -> bool:
    """Whether the gold answer is a hundred times the last result, or the other way round."""
    result = last.result.rstrip("% ")
    return any(
        check_equation(Equation(f"({number})*100", hundredfold)).verdict == "exact"
        for number, hundredfold in ((result, gold), (gold, result))
    )


def _missed_rewards(problem: Problem) -> list[str]:
    """The rewards that the reference solution misses, each with its value and maximum."""
    reasoning = "\n".join(problem.steps)
    completion = f"<reasoning>\n{reasoning}\n</reasoning>\n<answer>\n{problem.gold}\n</answer>\n"
    missed = []
    for reward in (REWARDS[name] for name in BUILT_IN if REWARDS[name].when == "always"):
        value = reward.score(completion, problem.gold)
        if value is None:
            missed.append(f"{reward.title} cannot be computed")
        elif value < reward.maximum:
            missed.append(f"{reward.title} gives {value:g} of {reward.maximum:g}")
    return missed
