"""Generates word problems of GSM8K's shape from `stories`: the demo data set, and endless practice for the demo model.

Solutions carry GSM8K's calculator annotations (`<<48/2=24>>24`) and end in `#### <answer>`. Every result is a whole
number from 2 (so that plurals fit) to `LIMIT`. A seed gives the same problems on every machine and Python version.
Nothing here is taken from GSM8K; training a model on the problems is `pretrain`'s part.

    python -m training.demo.word_problems --out assets/demo-data
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from training.demo.moves import UNITS
from training.demo.stories import CALCULATION, THEMES, Story, T, Told, draw_story, pick, pick_weighted
from training.demo.theme import ASIDES, NAMES, WORDS, Theme
from training.terminal import new_program, run_program

TRAIN_COUNT, TEST_COUNT, DEMO_SEED = 2000, 400, 20250303

OPENER_SHARES = {0: 0.2, 1: 0.65, 2: 0.15}
"""How many sentences of the theme set the scene. The same for short and long problems: what stands next to each other on
a map because it has them should not be equally long (R-squared of the neighbours' steps 0.10; 0.15 with more for short)."""

ASIDE_SHARE = 0.5
"""Share of problems with a sentence that belongs to no theme: it blurs the themes' borders."""

CLOSE_SHARE = 0.5
"""How often the last move is told in the question, where it can be."""
PRONOUN_SHARE = 0.6

_TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times"}
_PARTS = {3: "third", 4: "fourth", 5: "fifth"}
_PRONOUNS = {"he": ("he", "his", "him"), "she": ("she", "her", "her"), "they": ("they", "their", "them")}
_RELATIVES = {"he": {"sibling": "brother", "elder": "uncle"}, "she": {"sibling": "sister", "elder": "aunt"}}
_SINGULARS = {"shelves": "shelf", "boxes": "box"}
_CHOICE = re.compile(r"\{([^{}]*)\}")
"""Innermost alternatives: they may stand in one another."""
_PLACEHOLDER = re.compile(r"@([A-Za-z]+(?:_[a-z])?\d?)")
_SENTENCE_START = re.compile(r"(?:^|(?<=[.?!] ))[a-z]")


@dataclass(frozen=True)
class WordProblem:
    """One generated problem."""

    question: str
    answer: str
    """GSM8K's format: annotated solution lines, then `#### <gold>`."""
    theme: str
    structure: str
    """Its moves: "rate > lose > share"."""
    unit: str
    """What the answer counts, as words, or "$"."""

    @property
    def gold(self) -> str:
        return self.answer.rpartition("#### ")[2]

    @property
    def steps(self) -> list[str]:
        """The solution lines without annotations: "Ben is 5+3=8 years old." """
        return re.sub(r"<<.*?>>", "", self.answer).split("\n")[:-1]


def generate(count: int, *, seed: int, exclude: Collection[str] = ()) -> list[WordProblem]:
    """Draw `count` problems with different questions, none of them in `exclude`."""
    rng = random.Random(seed)
    seen = set(exclude)
    problems: list[WordProblem] = []
    while len(problems) < count:
        problem = render(draw_story(rng), rng)
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


# --- putting a story into words --------------------------------------------------------------------------------------


def render(story: Story, rng: random.Random) -> WordProblem:
    """Tell a story: sentences that set the scene, one for each move, the question, and a line for each calculation."""
    theme = THEMES[story.theme]
    teller = _Teller(rng, _draw_words(theme, rng), _draw_people(rng))
    scene = _draw_some(theme.openers, pick_weighted(OPENER_SHARES, rng), rng)
    if rng.random() < ASIDE_SHARE:
        scene.append(pick(ASIDES, rng))
    opening = [teller.say(sentence) for sentence in scene]
    sentences, lines = zip(*(teller.tell(told, theme, ends=told is story.chain[-1]) for told in story.chain), strict=True)
    last = story.chain[-1]
    return WordProblem(
        question=" ".join([*opening, *chain.from_iterable(sentences)]),
        answer="\n".join([*chain.from_iterable(lines), f"#### {last.numbers['w']}"]),
        theme=story.theme,
        structure=story.structure,
        unit=teller.unit(last.move.gives),
    )


@dataclass
class _Teller:
    """Turns moves into sentences and remembers whom they speak of."""

    rng: random.Random
    words: dict[str, str]
    people: list[tuple[str, str]]
    """Names with "he" or "she"; the first is @A, the others come in as @N."""
    holder: int = 0
    """Whose number it is: a place in `people`, or `BOTH`."""
    other: int = 0
    newcomers: int = 0
    spoken_of: int | None = None
    """Whom the last sentence spoke of, so that a pronoun would mean them."""

    told: set[str] = field(default_factory=set)
    """Texts already used: a story says nothing twice in the same words where it can help it."""

    BOTH = -1

    def tell(self, told: Told, theme: Theme, *, ends: bool) -> tuple[list[str], list[str]]:
        """The move's sentences in the question and its lines in the solution; the last one is also asked for."""
        move, numbers = told.move, told.numbers
        self.words |= {name: str(value) for name, value in numbers.items()}
        if "k" in numbers:
            self.words |= {"times_k": _TIMES[numbers["k"]], "kth": _PARTS.get(numbers["k"], "")}
        texts = theme.says.get(move.name) or move.texts
        closing = ends and bool(move.closes) and self.rng.random() < CLOSE_SHARE
        sentences = []
        if texts and not closing:
            text = pick([text for text in texts if text not in self.told] or texts, self.rng)
            self.told.add(text)
            if "@N" in text or move.holder == "new":
                self.newcomers += 1
            sentences.append(self.say(text))
        lines = [self._line(line) for line in move.lines]
        if move.holder != "same":
            self.other, self.holder = self.holder, self.newcomers if move.holder == "new" else self.BOTH
        if ends:
            sentences.append(self.say(pick(move.closes if closing else move.asks, self.rng), pronouns=False))
        return sentences, lines

    def say(self, text: str, *, pronouns: bool = True) -> str:
        """Fill one text; note whom it speaks of."""
        name, subject = self._name(self.holder), self._pronouns(self.holder)[0]
        if "@A" in text:
            self.spoken_of = 0
        known = pronouns and self.spoken_of == self.holder
        words = self._person_words() | {"S": subject if known and self.rng.random() < PRONOUN_SHARE else name}
        filled = _capitalized(self._fill(text, words))
        if "@N" in text:
            self.spoken_of = self.newcomers
        elif re.search("@[HS]", text):
            self.spoken_of = self.holder
        return filled

    def unit(self, kind: str) -> str:
        """What a number of this kind counts."""
        return self._fill(UNITS.get(kind, "$"), {})

    def _line(self, line: str) -> str:
        def annotate(match: re.Match[str]) -> str:
            dollar, expression, result = match.groups()
            filled = re.sub("[a-z]", lambda name: self.words[name.group()], expression)
            return f"{filled}={dollar}<<{filled}={self.words[result]}>>{self.words[result]}"

        return _capitalized(self._fill(CALCULATION.sub(annotate, line), self._person_words()))

    def _person_words(self) -> dict[str, str]:
        subject, possessive, object_ = self._pronouns(self.holder)
        name, both = self._name(self.holder), self.holder == self.BOTH
        words = {"A": self._name(0), "H": name, "P": self._name(self.other), "N": self._name(self.newcomers)}
        words |= {"Hs": "their" if both else f"{name}'s", "Ho": "them" if both else name, "Ps": f"{words['P']}'s"}
        words |= {"he": subject, "his": possessive, "him": object_, "He": subject.title(), "His": possessive.title()}
        return words | _RELATIVES[self.people[self.newcomers][1]]

    def _name(self, person: int) -> str:
        return "they" if person == self.BOTH else self.people[person][0]

    def _pronouns(self, person: int) -> tuple[str, str, str]:
        return _PRONOUNS["they" if person == self.BOTH else self.people[person][1]]

    def _fill(self, text: str, words: dict[str, str]) -> str:
        words = self.words | words
        while "{" in text:
            text = _CHOICE.sub(lambda match: pick(match.group(1).split("|"), self.rng), text)
        text = _PLACEHOLDER.sub(lambda match: words[match.group(1)], text)
        return re.sub(r" +(?=[ ?.])", "", text)


def _capitalized(text: str) -> str:
    return _SENTENCE_START.sub(lambda match: match.group().upper(), text)


def _draw_words(theme: Theme, rng: random.Random) -> dict[str, str]:
    """The theme's and the common words for one problem; `things2` is another of the `things`."""
    lists = {"items": theme.items, "boxes": theme.boxes, "friends": theme.friends, "things": theme.things}
    lists |= {"gift": theme.gift, "part": theme.part, "job": theme.job} | WORDS
    words = {key: pick(choices.split("|"), rng) for key, choices in lists.items()}
    words["things2"] = pick([word for word in theme.things.split("|") if word != words["things"]] or [""], rng)
    words["box"] = _SINGULARS.get(words["boxes"]) or words["boxes"].removesuffix("s")
    words["verb"], words["make"] = theme.verb.split("|")
    return words


def _draw_people(rng: random.Random) -> list[tuple[str, str]]:
    """Nine people with different names."""
    people = [(name, gender) for gender, names in NAMES.items() for name in names.split("|")]
    return _draw_some(people, 9, rng)


def _draw_some(choices: Sequence[T], count: int, rng: random.Random) -> list[T]:
    """Different ones, in the order drawn."""
    left = list(choices)
    return [left.pop(int(rng.random() * len(left))) for _ in range(count)]


def write_splits(out: Annotated[Path, typer.Option(metavar="DIR", help="folder, made if it is missing")]) -> int:
    """Write the demo data set: train.jsonl and test.jsonl."""
    out.mkdir(parents=True, exist_ok=True)
    for split, problems in demo_splits().items():
        (out / f"{split}.jsonl").write_text(to_jsonl(problems), encoding="utf-8", newline="\n")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    return run_program(new_program({"write": write_splits}), "python -m training.demo.word_problems", arguments)


if __name__ == "__main__":
    sys.exit(main())
