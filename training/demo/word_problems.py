"""Generates word problems of GSM8K's shape from `templates`: the demo data set, and endless practice for the demo model.

Solutions carry GSM8K's calculator annotations (`<<48/2=24>>24`) and end in `#### <answer>`. Every result is a whole
number from 2 (so that plurals fit) to `LIMIT`. A seed gives the same problems on every machine and Python version.
Nothing here is taken from GSM8K; training a model on the problems is `pretrain`'s part.

    python -m training.demo.word_problems --out assets/demo-data
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from training.demo.templates import NAMES, OPENERS, TEMPLATES, WORDS, Template

LIMIT = 100
"""The largest result in a solution: what a model of a few million parameters can still calculate."""

STEP_SHARES = {2: 0.32, 3: 0.32, 4: 0.19, 5: 0.09, 6: 0.05, 7: 0.02, 8: 0.01}
"""Share of problems by solution lines, near GSM8K's 26, 29, 22, 13, 6, 3 and 1 percent, a little shorter."""

OPENER_SHARE = 0.4
"""Share of problems that begin with a sentence which sets the scene and changes nothing."""

TRAIN_COUNT, TEST_COUNT, DEMO_SEED = 2000, 400, 20250303

T = TypeVar("T")
_OPERATORS: dict[str, Callable[[list[int]], float]] = {
    "+": sum,
    "*": math.prod,
    "-": lambda values: values[0] - sum(values[1:]),
    "/": lambda values: values[0] / math.prod(values[1:]),
}
_TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times", 6: "six times"}
_PRONOUNS = {"he": ("he", "his", "him"), "she": ("she", "her", "her")}
_RELATIVES = {"he": {"sibling": "brother", "elder": "father"}, "she": {"sibling": "sister", "elder": "mother"}}
_CHOICE = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDER = re.compile(r"@([A-Za-z]+(?:_[a-z])?2?)")
_CALCULATION = re.compile(r"\[(\$?)([^=\]]+)=([a-z])\]")
_SENTENCE_START = re.compile(r"(?:^|(?<=[.?!] ))[a-z]")


@dataclass(frozen=True)
class WordProblem:
    """One generated problem."""

    question: str
    answer: str
    """GSM8K's format: annotated solution lines, then `#### <gold>`."""
    theme: str
    template: str
    unit: str
    """What the answer counts, as words, or "$"."""

    @property
    def gold(self) -> str:
        return self.answer.rpartition("#### ")[2]

    @property
    def steps(self) -> list[str]:
        """The solution lines without annotations: "@B is 5+3=8 years old." """
        return re.sub(r"<<.*?>>", "", self.answer).split("\n")[:-1]


def generate(count: int, *, seed: int, exclude: Collection[str] = ()) -> list[WordProblem]:
    """Draw `count` problems with different questions, none of them in `exclude`."""
    rng = random.Random(seed)
    seen = set(exclude)
    problems: list[WordProblem] = []
    while len(problems) < count:
        problem = render(_draw_template(rng), rng)
        if problem.question not in seen:
            seen.add(problem.question)
            problems.append(problem)
    return problems


def demo_splits() -> dict[str, list[WordProblem]]:
    """The shipped data set: train and test from one stream, so that no question is in both."""
    problems = generate(TRAIN_COUNT + TEST_COUNT, seed=DEMO_SEED)
    return {"train": problems[:TRAIN_COUNT], "test": problems[TRAIN_COUNT:]}


def to_jsonl(problems: Sequence[WordProblem]) -> str:
    """GSM8K's file format: one object with `question` and `answer` a line."""
    return "".join(json.dumps({"question": p.question, "answer": p.answer}) + "\n" for p in problems)


def render(template: Template, rng: random.Random) -> WordProblem:
    """Fill one template with numbers, names and words."""
    numbers = _draw_numbers(template, rng)
    words = {name: str(value) for name, value in numbers.items()} | _draw_words(rng)
    words |= {f"times_{name}": _TIMES[value] for name, value in numbers.items() if value in _TIMES}

    def fill(text: str) -> str:
        text = _CHOICE.sub(lambda match: _pick(match.group(1).split("|"), rng), text)
        text = _PLACEHOLDER.sub(lambda match: words[match.group(1)], text).replace("  ", " ")
        return _SENTENCE_START.sub(lambda match: match.group().upper(), text)

    def annotate(match: re.Match[str]) -> str:
        dollar, expression, result = match.groups()
        filled = re.sub("[a-z]", lambda name: words[name.group()], expression)
        return f"{filled}={dollar}<<{filled}={words[result]}>>{words[result]}"

    opener = _pick(OPENERS[template.theme], rng) + " " if rng.random() < OPENER_SHARE else ""
    lines = [fill(_CALCULATION.sub(annotate, line)) for line in template.solution]
    gold = words[_CALCULATION.findall(template.solution[-1])[-1][2]]
    return WordProblem(
        question=fill(opener + template.question),
        answer="\n".join([*lines, f"#### {gold}"]),
        theme=template.theme,
        template=f"{template.theme}/{template.name}",
        unit=fill(template.unit).lower(),
    )


def _draw_template(rng: random.Random) -> Template:
    """Step count by its share, then any template of that many steps."""
    steps = _pick_weighted(STEP_SHARES, rng)
    return _pick([t for t in TEMPLATES.values() if len(t.solution) == steps], rng)


def _draw_numbers(template: Template, rng: random.Random) -> dict[str, int]:
    """Numbers from the template's ranges, drawn again until all results are whole and within 2 to `LIMIT`."""
    while True:
        numbers = {name: _pick(values, rng) for name, values in _ranges(template.numbers)}
        if _calculate(template.solution, numbers):
            return numbers


def _ranges(spec: str) -> list[tuple[str, range]]:
    """Parse "a=4..15 c=10..60/5"."""
    parsed = re.findall(r"([a-z])=(\d+)\.\.(\d+)(?:/(\d+))?", spec)
    return [(name, range(int(low), int(high) + 1, int(step or 1))) for name, low, high, step in parsed]


def _calculate(solution: Sequence[str], numbers: dict[str, int]) -> bool:
    """Add each line's result to `numbers`; False at the first that is not a whole number within 2 to `LIMIT`."""
    for _, expression, result in _CALCULATION.findall("\n".join(solution)):
        operator = next(symbol for symbol in expression if symbol in _OPERATORS)
        operands = [int(term) if term.isdigit() else numbers[term] for term in expression.split(operator)]
        value = _OPERATORS[operator](operands)
        if value != int(value) or not 2 <= value <= LIMIT:
            return False
        numbers[result] = int(value)
    return True


def _draw_words(rng: random.Random) -> dict[str, str]:
    """Three people, words that fit the first and the second, and two different words of each list."""
    people = [(name, gender) for gender, names in NAMES.items() for name in names.split("|")]
    chosen: list[tuple[str, str]] = []
    for _ in "ABC":
        chosen.append(_pick([person for person in people if person not in chosen], rng))
    words = dict(zip("ABC", (name for name, _ in chosen), strict=True))
    subject, possessive, object_ = _PRONOUNS[chosen[0][1]]
    words |= {"he": subject, "his": possessive, "him": object_, "He": subject.title(), "His": possessive.title()}
    words |= _RELATIVES[chosen[1][1]]
    for key, choices in ((key, text.split("|")) for key, text in WORDS.items()):
        words[key] = _pick(choices, rng)
        words[f"{key}2"] = _pick([word for word in choices if word != words[key]], rng)
    return words


def _pick(choices: Sequence[T], rng: random.Random) -> T:
    """`rng.choice`, whose draws are not promised to be the same in every Python version; `rng.random`'s are."""
    return choices[int(rng.random() * len(choices))]


def _pick_weighted(shares: dict[int, float], rng: random.Random) -> int:
    point = rng.random() * sum(shares.values())
    for value, share in shares.items():
        point -= share
        if point < 0:
            return value
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the demo data set: train.jsonl and test.jsonl.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder, made if it is missing")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for split, problems in demo_splits().items():
        (folder / f"{split}.jsonl").write_text(to_jsonl(problems), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
