"""The reward functions, pure, and the registry by which configuration, page and command line name them.

The six of `ARTICLE_REWARDS` are those of the article "LLM Reinforcement Learning with GRPO" and the Unsloth notebook that
it builds on, quirks included; a variant that closes a hole of theirs stands beside them under its own name.
A reward function takes one completion and the problem's gold answer, and where it looks for an answer the form in which it is
asked for; it returns a number, or `None` where it cannot be computed. Every one takes time in proportion to the text. Weights
belong to the run configuration; the values here are unweighted. A person's own functions, and the symbolic verifier, are
computed in processes of their own, see `training.rewards.own`.
"""

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from training.data.answers import after_hashes, last_box
from training.data.gold import parse_number
from training.errors import RewardError, shown, shown_error
from training.groups import Verifier
from training.rewards import extraction, shaping
from training.rewards.forms import TAGS, AnswerForm

_FIRST_NUMBER = re.compile(r"[$]?(\d+(?:,\d+)*)%?")

# The notebook's patterns but for the atomic group, which keeps to the first place where the answer opens. A later one
# could match only what the first one matches too; trying them all takes minutes on a megabyte of tags.
_STRICT_FORMAT = re.compile(r"^<reasoning>\n(?>.*?\n</reasoning>\n<answer>\n).*?\n</answer>\n*$", re.DOTALL)
_SOFT_FORMAT = re.compile(r"<reasoning>(?>.*?</reasoning>\s*<answer>).*?</answer>", re.DOTALL)
_TRAILING_PENALTY = 0.001

# Possessive throughout, so that what does not end as a number is passed over whole instead of read in part.
_NUMBER = re.compile(
    r"((?<!\w)[-−]\\?[$€£]?|[$€£][-−])?"  # a minus, before or after the currency sign
    r"(?<![\w.^])(?<!\d,)"  # not within a word, a number or an exponent
    r"(\d++(?:,\d{3}(?!\d))*+(?:\.\d++)?+|\.\d++)"
    r"(?![.,]?\d|\^|[eE][-+]?\d|[²³¹⁰-⁹¼-¾⅐-⅞])",  # not a part of something longer whose value is another
    re.ASCII,
)
_THOUSANDS = re.compile(r"(?<![\d.,\w])\d{1,3}(?:(?:,\\!|\{,\}|\\[,;! ]| )\d{3})+(?![\d.,]*\d)", re.ASCII)
"""Thousands as LaTeX and other countries part them."""


def extract_answer(completion: str, form: AnswerForm = TAGS) -> str:
    """The text after the last `<answer>`, up to the next `</answer>`, stripped; the whole text when there are no tags.

    Source: `extract_xml_answer` of the notebook, which the article quotes. A lone `</answer>` ends the whole text. In another
    form, what that form marks.
    """
    return form.answer(completion)


def extract_number(completion: str, form: AnswerForm = TAGS) -> str:
    """The first number of the extracted answer without `$`, `%` and commas; "0" when there is none.

    Source: `extract_final_answer` of the article. Signs and decimals are left out: -8 is read as 8, and 2.5 as 2.
    """
    match = _FIRST_NUMBER.search(form.answer(completion))
    return match.group(1).replace(",", "") if match else "0"


def correctness(completion: str, gold: str, form: AnswerForm = TAGS) -> float:
    """Hard correctness: 1.0 if the extracted answer is exactly the gold answer.

    Source: `correctness_reward_func` of the notebook; the article lowers it from 2.0. Text is compared: "16,320" and
    "$72" are not 16320 and 72.
    """
    return 1.0 if form.answer(completion) == gold else 0.0


def soft_correctness(completion: str, gold: str, form: AnswerForm = TAGS) -> float:
    """1.0 if the first number in the extracted answer is the gold answer: "$27", "96%" and "72 units" count.

    Source: `soft_correctness_reward_func`, which the article adds. Holes: a negative or decimal gold answer is never
    reached, "-72" and "72.9" earn it for 72, and an answer without a number earns it for 0.
    """
    return 1.0 if extract_number(completion, form) == gold else 0.0


def integer(completion: str, gold: str, form: AnswerForm = TAGS) -> float:
    """0.5 if the extracted answer consists of digits only.

    Source: `int_reward_func` of the notebook, which the article takes over. It is Python's `isdigit`: no sign and no
    comma, but digits of any script, and "²".
    """
    return 0.5 if form.answer(completion).isdigit() else 0.0


def strict_format(completion: str, gold: str, form: AnswerForm = TAGS) -> float:
    """0.5 for the exact layout, one line break around each part.

    Source: `strict_format_reward_func` of the notebook; the article adds re.DOTALL and trailing newlines. With
    re.DOTALL a part may be empty or hold tags itself. In another form than the tags: an answer is marked and ends the text.
    """
    if form is not TAGS:
        return 0.5 if form.has_block(completion) and _ends_with_answer(completion, form) else 0.0
    return 0.5 if _STRICT_FORMAT.match(completion) else 0.0


def soft_format(completion: str, gold: str, form: AnswerForm = TAGS) -> float:
    """0.5 if the text starts with a reasoning block followed by an answer block, whatever the line breaks.

    Source: `soft_format_reward_func` of the notebook; the article adds re.DOTALL. What follows is not looked at. In another
    form than the tags: an answer is marked.
    """
    if form is not TAGS:
        return 0.5 if form.has_block(completion) else 0.0
    return 0.5 if _SOFT_FORMAT.match(completion) else 0.0


def xml_count(completion: str, gold: str, form: AnswerForm = TAGS) -> float | None:
    """0.125 for each of the four tags that stands exactly once with its line break, minus 0.001 a character of tail.

    Source: `xmlcount_reward_func` of the notebook, which the article takes over. The tail is penalised twice, after
    `\\n</answer>\\n` and after `\\n</answer>`. Without any `\\n</answer>\\n` the first penalty takes the whole text, so a
    completion that ends in `\\n</answer>` pays for its length. There is no lower bound. `None` in another form than the tags.
    """
    if form is not TAGS:
        return None
    score = 0.0
    if completion.count("<reasoning>\n") == 1:
        score += 0.125
    if completion.count("\n</reasoning>\n") == 1:
        score += 0.125
    if completion.count("\n<answer>\n") == 1:
        score += 0.125
        score -= len(completion.split("\n</answer>\n")[-1]) * _TRAILING_PENALTY
    if completion.count("\n</answer>") == 1:
        score += 0.125
        score -= (len(completion.split("\n</answer>")[-1]) - 1) * _TRAILING_PENALTY
    return score


def value_correctness(completion: str, gold: str, form: AnswerForm = TAGS) -> float | None:
    """1.0 if the answer's value equals the gold answer's: "16,320", "-$8", "72.00" and "\\boxed{72} units" count.

    Source: this project's variant of hard correctness; the article has none. Where the extracted answer holds
    `\\boxed{...}`, the inside of the last one is read; where no answer is marked, what follows the last `####`. Units, `$`
    and `%` are passed over, so 96% is 96; a minus counts directly before its number. Several numbers earn it only if each
    has the gold answer's value, so guesses in a row earn nothing. Nothing is calculated: "48/2", "1e5" and "2½" have no
    value here. Values are compared exactly as decimals, whatever their length. `None` where the gold answer is more, or
    less, than one number.
    """
    number = parse_number(gold)
    if number is None or "/" in number:
        return None
    expected = Decimal(number)
    answer = form.answer(completion)
    boxed = last_box(answer)
    if boxed is not None:
        answer = boxed
    elif not form.has_block(completion):
        answer = after_hashes(answer) or answer
    values = _values(_THOUSANDS.sub(_without_marks, answer))
    return 1.0 if next(values, None) == expected and all(value == expected for value in values) else 0.0


def _without_marks(match: re.Match[str]) -> str:
    return re.sub(r"[^0-9]", "", match[0])


def _ends_with_answer(completion: str, form: AnswerForm) -> bool:
    """Whether nothing but punctuation follows the answer that a completion marks."""
    answer = form.answer(completion)
    if not answer:
        return False
    before, _, after = completion.rpartition(answer)
    if after.strip(" \n$.}])*\\"):
        return False
    alone = before.rpartition(answer)[2] + answer + after  # the same words may stand once more behind the mark
    return form.has_block(alone)


def _values(text: str) -> Iterator[Decimal]:
    """The values of the numbers in a text, exactly; made from text alone, as arithmetic on decimals would round."""
    for match in _NUMBER.finditer(text):
        minus, digits = match.groups()
        yield Decimal(f"{'-' if minus else ''}{digits.replace(',', '')}")


Row = Mapping[str, Any]
"""What a reward may know of a problem besides its gold answer: question, solution, prompt, and columns that travel along."""


When = Literal["always", "expressions", "asked"]


@dataclass(frozen=True)
class Reward:
    """One entry of the registry."""

    name: str
    title: str
    maximum: float
    """The highest value the function can return, unweighted."""
    function: Callable[..., Any]
    """(completion, gold) -> value, or `None` where it cannot be computed. A person's own may also take (completion, problem),
    or lists as TRL gives them: (prompts, completions, **columns) -> list; and may be `async`."""
    needs_gold: bool = True
    """Whether the value depends on the gold answer; one that only looks at the completion can do without."""
    timeout_s: float = 10.0
    """How long a function of a person's own may take for one completion; those that ship with the program need no limit."""
    reads_form: bool = False
    """Whether the function takes the answer's form as a third argument, as those that ship do."""
    reads_row: bool = False
    """Whether it takes the problem's row as a fourth argument."""
    when: When = "always"
    """Whether evaluations and benches compute it for everybody, only for gold answers that are no numbers, or only for those
    who train on it or judge by it."""

    @property
    def description(self) -> str:
        """The function's own first sentence, shown as help."""
        return str(getattr(self.function, "__doc__", None) or "").strip().split("\n")[0]

    def score(self, completion: str, gold: str, form: AnswerForm = TAGS) -> float | None:
        """The function's value for a completion.

        Raises:
            RewardError: as `score_all`.
        """
        return self.score_all([completion], [gold], form=form)[0]

    def score_all(
        self, completions: Sequence[str], golds: Sequence[str], rows: Sequence[Row] | None = None, form: AnswerForm = TAGS
    ) -> list[float | None]:
        """The function's value for each completion; a crash never becomes a score.

        Args:
            rows: the problem of each completion, for functions that look at more than the gold answer.
            form: how answers are marked.

        Raises:
            RewardError: the function raised, or returned what is no finite number up to its maximum.
        """
        known = rows if rows is not None else [{}] * len(completions)
        return [self._value(*asked, form) for asked in zip(completions, golds, known, strict=True)]

    def error(self, what: str, completion: str, remedy: str = "Fix the function, or set its weight to 0.") -> RewardError:
        """The error of a function that did something with a completion: `raised ValueError: ...`."""
        return RewardError(f"The reward function {self.name} {what} on the completion {completion[:200]!r}.", remedy)

    def _value(self, completion: str, gold: str, row: Row, form: AnswerForm) -> float | None:
        more = (*((form,) if self.reads_form else ()), *((row,) if self.reads_row else ()))
        try:
            value = self.function(completion, gold, *more)
        except Exception as error:
            raise self.error(f"raised {shown_error(error)}", completion) from error
        return self.checked(value, completion)

    def checked(self, value: object, completion: str) -> float | None:
        """What the function returned, as a number.

        Raises:
            RewardError: it is no finite number up to the function's maximum.
        """
        if value is None:
            return None
        number = as_number(value)
        if number is None or number > self.maximum:
            raise self.error(f"returned {shown(value)}, which is no number up to its maximum {self.maximum:g},", completion)
        return number


class SymbolicReward(Reward):
    """The symbolic verifier, `training.rewards.symbolic`, computed in a process of its own."""

    def score_all(
        self, completions: Sequence[str], golds: Sequence[str], rows: Sequence[Row] | None = None, form: AnswerForm = TAGS
    ) -> list[float | None]:
        """As the base says; `None` where a text takes too long."""
        from training.rewards.own import judge_symbolically  # which stands on this module

        return judge_symbolically(self, completions, golds, form)


def symbolic_correctness(completion: str, gold: str, form: AnswerForm = TAGS) -> float | None:
    r"""1.0 if the answer means what the gold answer means: \frac{1}{2} and 0.5, (1,2) and \left(1,2\right), 10{,}000 and 10000.

    Source: math-verify, see `training.rewards.symbolic`.
    """
    return SYMBOLIC_REWARD.score(completion, gold, form)


def as_number(value: object) -> float | None:
    """A finite number, numpy's and torch's included, as a float; `None` for anything else."""
    if getattr(value, "ndim", None) == 0 and callable(item := getattr(value, "item", None)):
        value = item()
    return float(value) if isinstance(value, int | float) and is_finite(value) else None


def is_finite(value: object) -> bool:
    """Whether something is a number that a float can hold."""
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        return False


def cosine_length(completion: str, gold: str, form: AnswerForm, row: Row) -> float | None:
    """More for a short right answer than for a long one, less for a short wrong one.

    Source: see `shaping.cosine_length`.
    """
    by_value = value_correctness(completion, gold, form)
    return shaping.cosine_length(correctness(completion, gold, form) if by_value is None else by_value, row)


def _shaping(name: str, title: str, function: Callable[..., Any], *, needs_gold: bool = False) -> Reward:
    return Reward(name, title, 1.0, function, needs_gold, reads_form=True, reads_row=True, when="asked")


SYMBOLIC = Path(__file__).with_name("symbolic.py")
"""The file that the symbolic verifier's process runs."""
SYMBOLIC_REWARD = SymbolicReward("math", "Symbolic correctness", 1.0, symbolic_correctness, timeout_s=10.0, when="expressions")

REWARDS: dict[str, Reward] = {
    reward.name: reward
    for reward in (
        Reward("correctness", "Hard correctness", 1.0, correctness, reads_form=True),
        Reward("soft_correctness", "Soft correctness", 1.0, soft_correctness, reads_form=True),
        Reward("integer", "Integer", 0.5, integer, needs_gold=False, reads_form=True),
        Reward("strict_format", "Strict format", 0.5, strict_format, needs_gold=False, reads_form=True),
        Reward("soft_format", "Soft format", 0.5, soft_format, needs_gold=False, reads_form=True),
        Reward("xml_count", "XML tag count", 0.5, xml_count, needs_gold=False, reads_form=True),
        Reward("value_correctness", "Value correctness", 1.0, value_correctness, reads_form=True),
        SYMBOLIC_REWARD,
        _shaping("soft_overlong", "Soft overlong", shaping.soft_overlong),
        _shaping("no_repetition", "No repetition", shaping.no_repetition),
        _shaping("cosine_length", "Cosine length", cosine_length, needs_gold=True),
        _shaping("countdown", "Countdown", shaping.countdown),
        Reward("strict_match", "strict-match", 1.0, extraction.strict_match, when="asked"),
        Reward("flexible_extract", "flexible-extract", 1.0, extraction.flexible_extract, when="asked"),
    )
}

BUILT_IN = tuple(REWARDS)
"""The names of the functions that ship with the program."""

ARTICLE_REWARDS = ("correctness", "soft_correctness", "integer", "strict_format", "soft_format", "xml_count")
"""The article's six, which a run trains on unless it says otherwise; together at most 4.0."""


COMPARING = ("correctness", "soft_correctness", "value_correctness", "math")
"""The functions that compare an answer with the gold, each as strictly as it does."""

DEFAULT_VERIFIER = "correctness"


def verifier_of(spec: Mapping[str, Any]) -> Verifier:
    """The verifier that a job's spec names; hard correctness where it names none, as that of an evaluation."""
    name = spec.get("verifier") or DEFAULT_VERIFIER
    return verifier_named(name)


def verifier_named(name: str) -> Verifier:
    """The verifier that a reward function makes."""
    # A person's own function may be unknown where the run is looked at: then 1 counts as right.
    return Verifier(name, REWARDS[name].maximum if name in REWARDS else 1.0)


def title_of(name: str) -> str:
    """What people call a reward function, its name where it is not known here."""
    return REWARDS[name].title if name in REWARDS else name


def maximum_of(name: str) -> float | None:
    """The highest value of a reward function, `None` where it is not known here."""
    return REWARDS[name].maximum if name in REWARDS else None


def highest_total(weights: Mapping[str, float]) -> float | None:
    """The highest total that a completion can reach, `None` where a function is not known here."""
    highest = [(weight, maximum_of(name)) for name, weight in weights.items() if weight > 0]
    if any(maximum is None for _, maximum in highest):
        return None
    return float(sum(weight * (maximum or 0.0) for weight, maximum in highest))


def score_completion(completion: str, gold: str | None, form: AnswerForm = TAGS) -> dict[str, float | None]:
    """Every registered reward of one completion, by name, unweighted; without gold, `None` for those that need it."""
    return score_completions([completion], [gold], form=form)[0]


def score_completions(
    completions: Sequence[str],
    golds: Sequence[str | None],
    rows: Sequence[Row] | None = None,
    *,
    form: AnswerForm = TAGS,
    required: Collection[str] | None = None,
    failed: Callable[[RewardError], None] = lambda error: None,
) -> list[dict[str, float | None]]:
    """`score_completion` of each.

    Args:
        rows: as of `Reward.score_all`.
        required: the functions that must not fail, `None` for all: what another gives is `None` where it fails.
        failed: told of each that did.

    Raises:
        RewardError: as `Reward.score_all`, of one that is required.
    """
    scores: list[dict[str, float | None]] = [{} for _ in completions]
    asked = () if required is None else required
    unclear = any(gold and parse_number(gold) is None for gold in golds)
    for name, reward in REWARDS.items():
        if reward.when != "always" and name not in asked and not (reward.when == "expressions" and unclear):
            continue
        judged = [row for row, gold in enumerate(golds) if gold is not None or not reward.needs_gold]
        try:
            values = reward.score_all(
                [completions[row] for row in judged],
                [golds[row] or "" for row in judged],
                [rows[row] for row in judged] if rows is not None else None,
                form,
            )
        except RewardError as error:
            if required is None or name in required:
                raise
            failed(error)
            values = [None] * len(judged)
        found = dict(zip(judged, values, strict=True))
        for row, score in enumerate(scores):
            score[name] = found.get(row)
    return scores
