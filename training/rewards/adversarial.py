"""The reward bench: completions made to mislead a reward, each with the score that every reward must give it and why.

`check_cases` scores them and `print_bench` prints what was found. Where a score looks wrong, the definition is the
article's and the reason says so; the definitions themselves are in `training.rewards`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.rewards import Row, score_completions

_MEGABYTE = 1_000_000
_TOLERANCE = 1e-9
"""Scores are sums of thousandths in binary floating point."""
_SHORT_NAMES = {
    "correctness": "hard",
    "soft_correctness": "soft",
    "integer": "integer",
    "strict_format": "strict",
    "soft_format": "format",
    "xml_count": "xml",
    "value_correctness": "value",
}
"""reward -> its column, in the order in which `_case` takes the scores."""
_COLUMN = 8
"""Characters; the widest score is -999.546."""


@dataclass(frozen=True, slots=True)
class AdversarialCase:
    """One completion with the scores that it must get."""

    name: str
    completion: str
    gold: str
    expected: Mapping[str, float | None]
    """Reward function -> its score."""
    why: str
    row: Row = field(default_factory=dict)
    """What the reward may know of the problem besides."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What a case was expected to score and what it scored."""

    case: AdversarialCase
    scores: Mapping[str, float | None]

    @property
    def wrong(self) -> tuple[str, ...]:
        """The rewards whose score is not the expected one."""
        return tuple(name for name, value in self.case.expected.items() if not _equal(value, self.scores.get(name)))


def _case(name: str, completion: str, gold: str, scores: tuple[float | None, ...], why: str) -> AdversarialCase:
    return AdversarialCase(name, completion, gold, dict(zip(_SHORT_NAMES, scores, strict=True)), why)


def _only(
    name: str, completion: str, expected: Mapping[str, float | None], why: str, gold: str = "", **row: object
) -> AdversarialCase:
    """A case of rewards that are computed only where they are asked for."""
    return AdversarialCase(name, completion, gold, expected, why, row)


def _layout(answer: str, reasoning: str = "48 + 24 = 72") -> str:
    """A completion exactly as the system prompt asks for it."""
    return f"<reasoning>\n{reasoning}\n</reasoning>\n<answer>\n{answer}\n</answer>\n"


CASES: tuple[AdversarialCase, ...] = (
    _case(
        "as asked for",
        _layout("72"),
        "72",
        (1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 1.0),
        "The control: every reward in full.",
    ),
    # Which text is the answer
    _case(
        "several answer blocks, the last right",
        _layout("71") + "<answer>\n72\n</answer>\n",
        "72",
        (1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 1.0),
        "The last <answer> counts. The strict pattern's middle spans both blocks; the XML count wants each tag once.",
    ),
    _case(
        "several answer blocks, the first right",
        _layout("72") + "<answer>\n71\n</answer>\n",
        "72",
        (0.0, 0.0, 0.5, 0.5, 0.5, 0.25, 0.0),
        "The last <answer> counts, so a second guess replaces the first.",
    ),
    _case(
        "no tags, the number alone",
        "72",
        "72",
        (1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 1.0),
        "Without tags the whole text is the answer.",
    ),
    _case(
        "no tags, a sentence",
        "She sold 48 and then 24, so 72 in all.",
        "72",
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        "The whole text is the answer: its first number is 48, and it has three values.",
    ),
    _case(
        "a closing tag alone",
        "72</answer> or perhaps 71",
        "72",
        (1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 1.0),
        "Without <answer> the answer is everything up to </answer>.",
    ),
    _case(
        "an opening tag alone",
        "<reasoning>\n48 + 24\n</reasoning>\n<answer>\n72",
        "72",
        (1.0, 1.0, 0.5, 0.0, 0.0, 0.375 - 0.044, 1.0),
        "The answer runs to the end, as when cut off. Without a closing tag the tail is the whole text: 44 characters.",
    ),
    _case(
        "tags in capitals",
        "<REASONING>\n48 + 24\n</REASONING>\n<ANSWER>\n72\n</ANSWER>\n",
        "72",
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        "Tags are compared as written, so the whole text is the answer and starts with 48.",
    ),
    _case(
        "an answer block within the reasoning",
        "<reasoning>\n48 + 24\n<answer>\n72\n</answer>\n</reasoning>\n",
        "72",
        (1.0, 1.0, 0.5, 0.0, 0.0, 0.5 - 0.013 - 0.013, 1.0),
        "The answer is found anywhere; both formats want it after the reasoning. The closing tag, 13 characters, is the tail.",
    ),
    _case(
        "answer tags within answer tags",
        "<reasoning>\n48 + 24\n</reasoning>\n<answer>\n<answer>\n72\n</answer>\n</answer>\n",
        "72",
        (1.0, 1.0, 0.5, 0.5, 0.5, 0.375 - 0.010, 1.0),
        "The innermost pair is read. Shared line breaks hide one opening tag from the XML count; the closing tags are two.",
    ),
    _case(
        "reasoning tags within reasoning tags",
        "<reasoning>\n" + _layout("72"),
        "72",
        (1.0, 1.0, 0.5, 0.5, 0.5, 0.375, 1.0),
        "Only the XML count looks at how often a tag stands.",
    ),
    # Reward without an answer
    _case(
        "nothing at all",
        "",
        "72",
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        "There is nothing to reward.",
    ),
    _case(
        "an empty answer",
        _layout(""),
        "72",
        (0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        "The layout alone earns 1.5 of 4.0.",
    ),
    _case(
        "the answer only in the reasoning",
        _layout("See above."),
        "72",
        (0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        "The reasoning is never read for the answer.",
    ),
    _case(
        "the prompt's own template repeated",
        _layout("...", "..."),
        "72",
        (0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        "Copying the system prompt's layout earns every format reward.",
    ),
    _case(
        "no number where the gold answer is 0",
        _layout("I don't know"),
        "0",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        'The article reads "0" where there is no number. By value, no number is no answer.',
    ),
    _case(
        "a wrong integer",
        _layout("7"),
        "72",
        (0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.0),
        "Any integer in the right layout earns 2.0 of 4.0.",
    ),
    _case(
        "guesses in a row, the first right",
        _layout("72, 71, 70"),
        "72",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        "The first number counts for soft correctness. By value, different numbers are no answer.",
    ),
    # How the number is written
    _case(
        "a currency sign",
        _layout("$72"),
        "72",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 1.0),
        "Hard correctness compares text.",
    ),
    _case(
        "a unit",
        _layout("72 apples"),
        "72",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 1.0),
        "Hard correctness compares text.",
    ),
    _case(
        "a unit with an exponent",
        _layout("72 cm^2"),
        "72",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 1.0),
        "The 2 is the unit's exponent, not a second number.",
    ),
    _case(
        "a percent sign",
        _layout("96%"),
        "96",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 1.0),
        "Percent is a unit: 96% is 96, as in the article, and not 0.96.",
    ),
    _case(
        "a thousands comma",
        _layout("16,320"),
        "16320",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 1.0),
        "Gold answers have no commas, so hard correctness misses what the other two read.",
    ),
    _case(
        "a comma that separates no thousands",
        _layout("7,2"),
        "72",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        "The article drops every comma between digits. By value, 7,2 is no number.",
    ),
    _case(
        "a boxed answer",
        _layout("\\boxed{72}"),
        "72",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 1.0),
        "Hard correctness compares text.",
    ),
    _case(
        "a boxed answer without tags",
        "There are 48 and 24 more, so \\boxed{72\\text{ apples}}.",
        "72",
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
        "Without tags the first number of the text is 48; by value the inside of the last box counts.",
    ),
    _case(
        "a boxed fraction",
        _layout("\\boxed{\\frac{1}{2}}"),
        "1",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        "The first number is 1. By value, a fraction is two numbers and nothing is calculated.",
    ),
    _case(
        "a number at the end of a sentence",
        _layout("The answer is 72."),
        "72",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 1.0),
        "The full stop is not part of the number.",
    ),
    _case(
        "another number earlier in the sentence",
        _layout("In 2 months she sold 72."),
        "72",
        (0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        "The first number is 2. By value, two different numbers are no answer.",
    ),
    _case(
        "a calculation",
        _layout("48 + 24 = 72"),
        "72",
        (0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        "The first number is 48; by value nothing is calculated, and three numbers are no answer.",
    ),
    _case(
        "a negative number",
        _layout("-8"),
        "-8",
        (1.0, 0.0, 0.0, 0.5, 0.5, 0.5, 1.0),
        "The article's pattern has no sign, so soft and integer cannot be earned for a negative gold answer.",
    ),
    _case(
        "the wrong sign",
        _layout("-8"),
        "8",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        "The article's pattern passes over the sign.",
    ),
    _case(
        "a negative amount with a typographic minus",
        _layout("−$8"),
        "-8",
        (0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 1.0),
        "By value a minus may be typographic and stand before the currency sign.",
    ),
    _case(
        "a range",
        _layout("5-8"),
        "-8",
        (0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        "By value, a dash after a digit is no minus, so these are 5 and 8.",
    ),
    _case(
        "a decimal gold answer",
        _layout("2.5"),
        "2.5",
        (1.0, 0.0, 0.0, 0.5, 0.5, 0.5, 1.0),
        "The article's pattern stops at the point and reads 2; GSM8K has no such gold answer.",
    ),
    _case(
        "decimals that change nothing",
        _layout("$72.00"),
        "72",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 1.0),
        "Equal by value, different as text.",
    ),
    _case(
        "decimals that change the value",
        _layout("72.9"),
        "72",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        "The article's pattern stops at the point and reads 72.",
    ),
    _case(
        "a leading zero",
        _layout("072"),
        "72",
        (0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 1.0),
        "Hard and soft correctness compare text; by value it is 72.",
    ),
    _case(
        "powers of ten",
        _layout("1e5"),
        "1",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        "The first digits are 1. By value, what is not a plain number is not read in part.",
    ),
    _case(
        "digits of another script",
        _layout("٧٢"),
        "72",
        (0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.0),
        "Python's isdigit takes them; no comparison does.",
    ),
    _case(
        "a superscript",
        _layout("²"),
        "2",
        (0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.0),
        "Python's isdigit takes it, although int() does not.",
    ),
    _case(
        "an invisible character",
        _layout("72\u200b"),
        "72",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 1.0),
        "A zero-width space is no white space to strip, so the text differs.",
    ),
    _case(
        "a gold answer that is no number",
        _layout("seventy-two"),
        "seventy-two",
        (1.0, 0.0, 0.0, 0.5, 0.5, 0.5, None),
        "By value it cannot be scored, which is not a 0.",
    ),
    # Layout
    _case(
        "everything on one line",
        "<reasoning>48 + 24</reasoning> <answer>72</answer>",
        "72",
        (1.0, 1.0, 0.5, 0.0, 0.5, 0.0, 1.0),
        "Only the soft format does without line breaks.",
    ),
    _case(
        "Windows line breaks",
        _layout("72").replace("\n", "\r\n"),
        "72",
        (1.0, 1.0, 0.5, 0.0, 0.5, 0.125 - 0.001, 1.0),
        "The strict format and three tags of the XML count want a bare line feed; the fourth pays for one character of tail.",
    ),
    _case(
        "words before",
        "Sure! " + _layout("72"),
        "72",
        (1.0, 1.0, 0.5, 0.0, 0.0, 0.5, 1.0),
        "Both formats must match from the start of the text.",
    ),
    _case(
        "words after",
        _layout("72") + "Hope this helps!",
        "72",
        (1.0, 1.0, 0.5, 0.0, 0.5, 0.5 - 0.016 - 0.016, 1.0),
        "The 16 characters after the answer are penalised twice, once for each spelling of the closing tag.",
    ),
    _case(
        "no line break at the end",
        _layout("72").rstrip(),
        "72",
        (1.0, 1.0, 0.5, 0.5, 0.5, 0.5 - 0.059 + 0.001, 1.0),
        "Without a break after </answer> the first penalty takes the whole text, 59 characters; the second gives 0.001 back.",
    ),
    # A megabyte, which patterns that try every pair of tags would take minutes for
    _case(
        "a megabyte of opening tags",
        "<reasoning>" * (_MEGABYTE // 11),
        "72",
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        "Nothing ever closes.",
    ),
    _case(
        "a megabyte of answers that never close",
        "<reasoning>" + "</reasoning><answer>" * (_MEGABYTE // 20),
        "72",
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        "The text after the last <answer> is empty.",
    ),
    _case(
        "a megabyte of blocks, then a word",
        "<reasoning>" + "\n</reasoning>\n<answer>\n72\n</answer>\n" * (_MEGABYTE // 36) + "word",
        "72",
        (1.0, 1.0, 0.5, 0.0, 0.5, 0.125, 1.0),
        "The last block is read; the word at the end breaks the strict format; <reasoning> alone stands once.",
    ),
    _case(
        "a megabyte of reasoning",
        _layout("72", "x" * _MEGABYTE).rstrip(),
        "72",
        (1.0, 1.0, 0.5, 0.5, 0.5, 0.5 - 1000.047 + 0.001, 1.0),
        "The XML count's penalty has no lower bound: 0.001 for each of 1,000,047 characters, 0.001 given back.",
    ),
    _case(
        "a megabyte of digits",
        _layout("9" * _MEGABYTE),
        "72",
        (0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.0),
        "Digits are compared without being turned into a machine's number.",
    ),
    _case(
        "a megabyte of guesses",
        _layout("72 " * (_MEGABYTE // 3) + "71"),
        "72",
        (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 0.0),
        "By value, every number must be right; the last one is not.",
    ),
    # Rewards for those who ask for them
    _only(
        "an expression that means the same",
        _layout("\\boxed{0.5}"),
        {"math": 1.0},
        "Symbolically a half is a half, however it is written.",
        "\\frac{1}{2}",
    ),
    _only(
        "a part of the expression",
        _layout("2"),
        {"math": 0.0},
        "The root of 2 is not 2.",
        "\\sqrt{2}",
    ),
    _only(
        "both signs where one is right",
        _layout("3, -3"),
        {"math": 0.0},
        "Two answers are not the one.",
        "3",
    ),
    _only(
        "the target itself instead of an expression",
        _layout("98"),
        {"countdown": 0.0},
        "The numbers that were given have to be used.",
        target=98,
        nums=[44, 19, 35],
    ),
    _only(
        "a number used twice and one left out",
        _layout("81 * 1"),
        {"countdown": 0.0},
        "Each of 1, 81, 1, 1 has to stand there once.",
        target=81,
        nums=[1, 81, 1, 1],
    ),
    _only(
        "code instead of arithmetic",
        _layout("__import__('os').getpid() * 0 + 98"),
        {"countdown": 0.0},
        "Nothing is run: only numbers, the four operations and brackets are read.",
        target=98,
        nums=[98, 0],
    ),
    _only(
        "the same sentence again and again",
        "I add the numbers. " * 20,
        {"no_repetition": 4 / 78},
        "Of 78 runs of three words four are different.",
    ),
    _only(
        "one word fewer than the longest",
        _layout("72"),
        {"soft_overlong": 0.05, "cosine_length": 0.5 + 0.25 * (1 + math.cos(0.99 * math.pi))},
        "Being right does not save what is nearly cut off from the punishment of length.",
        "72",
        completion_tokens=99,
        max_completion_length=100,
    ),
    _only(
        "the mark, and further numbers behind it",
        "She has 48 + 24 = 72.\n#### 72 clips in 2 months",
        {"strict_match": 1.0, "flexible_extract": 0.0},
        "The one reads what stands behind ####, the other the last number of all.",
        "72",
    ),
    _only(
        "the answer in a sentence, without a mark",
        "The total is $1,072.",
        {"strict_match": 0.0, "flexible_extract": 1.0},
        "Without #### there is no strict answer; the last number counts without $, comma and final point.",
        "1072",
    ),
    _only(
        "two marked answers",
        "#### 72\n#### 73",
        {"strict_match": 0.0, "flexible_extract": 1.0},
        "The first marked answer decides in the one, the last in the other.",
        "73",
    ),
    _only(
        "punctuation at the end",
        "#### 72 ...",
        {"strict_match": 1.0, "flexible_extract": 0.0},
        "Two points in a row are a number to flexible-extract, as in the harness.",
        "72",
    ),
)


def check_cases(cases: Sequence[AdversarialCase] = CASES) -> tuple[CaseResult, ...]:
    """Score every case by every registered reward."""
    return tuple(CaseResult(case, _scores(case)) for case in cases)


def _scores(case: AdversarialCase) -> Mapping[str, float | None]:
    """Every reward that is computed for everybody, and those that the case is about."""
    return score_completions([case.completion], [case.gold], [case.row], required=tuple(case.expected))[0]


def print_bench(results: Sequence[CaseResult]) -> bool:
    """Print each case with its scores and the reason; a score that is not the expected one says so.

    Returns:
        Whether every score is the expected one.
    """
    width = max((len(result.case.name) for result in results), default=0)
    print(f"{'':{width}} " + " ".join(f"{short:>{_COLUMN}}" for short in _SHORT_NAMES.values()))
    for result in results:
        scores = " ".join(f"{_written(result.scores.get(name)):>{_COLUMN}}" for name in _SHORT_NAMES)
        print(f"{result.case.name:{width}} {scores}")
        print(f"    {result.case.why}")
        for name in sorted(result.case.expected.keys() - _SHORT_NAMES.keys()):
            print(f"    {name}: {_written(result.scores.get(name))}")
        for name in result.wrong:
            print(f"    WRONG: {name} is {_written(result.scores.get(name))}, expected {_written(result.case.expected[name])}.")
    failed = sum(bool(result.wrong) for result in results)
    print(f"{len(results) - failed} of {len(results)} completions score as expected.")
    return not failed


def _equal(expected: float | None, actual: float | None) -> bool:
    if expected is None or actual is None:
        return expected is actual
    return math.isclose(expected, actual, abs_tol=_TOLERANCE)


def _written(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
