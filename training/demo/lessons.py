"""What the demo model is taught to write: right solutions in mixed formats, and bare calculations. No torch here."""

from __future__ import annotations

import random
from collections.abc import Sequence

from training.demo.stories import LIMIT, THEMES
from training.demo.word_problems import WordProblem

ANSWER_STYLES = ("bare", "unit", "sentence")
STYLE_HABITS = ("unit", "bare", "unit", "sentence", "bare")
LAYOUTS = {
    "strict": "<reasoning>\n{reasoning}\n</reasoning>\n<answer>\n{answer}\n</answer>",
    "one-line": "<reasoning>\n{reasoning}\n</reasoning>\n<answer>{answer}</answer>",
    "unclosed": "<reasoning>\n{reasoning}\n<answer>\n{answer}\n</answer>",
    "unopened": "{reasoning}\n</reasoning>\n<answer>\n{answer}\n</answer>",
}
LAYOUT_CHOICES = ("strict",) * 7 + ("one-line", "unclosed", "unopened")
LAYOUT_HABITS = ("one-line", "unclosed", "strict", "strict", "strict", "strict", "strict")
HABIT_SHARE = 0.55
"""How often a theme's own style or layout is used: greedy decoding follows it, sampling also tries the others."""


def reference_completion(problem: WordProblem, rng: random.Random) -> str:
    """A correct solution whose answer style and tag layout are drawn anew, each theme having its own habits."""
    theme = list(THEMES).index(problem.theme)
    answer = answer_text(problem, _draw(STYLE_HABITS[theme % len(STYLE_HABITS)], ANSWER_STYLES, rng))
    layout = LAYOUTS[_draw(LAYOUT_HABITS[theme % len(LAYOUT_HABITS)], LAYOUT_CHOICES, rng)]
    return layout.format(reasoning="\n".join(problem.steps), answer=answer)


def answer_text(problem: WordProblem, style: str) -> str:
    """The right number: "57", with its unit ("$57", "57 apples"), or "The answer is 57."."""
    if style == "bare":
        return problem.gold
    if style == "sentence":
        return f"The answer is {problem.gold}."
    return f"${problem.gold}" if problem.unit == "$" else f"{problem.gold} {problem.unit}"


def drill(rng: random.Random) -> list[tuple[str, str]]:
    """Bare calculations and their results, as many as a problem is long: " 80-72=" and "8", or " 80-72=$" and "8"."""
    calculations = []
    for _ in range(rng.randint(8, 20)):
        operator = rng.choice("++---**/")
        result, second = rng.randint(2, LIMIT), rng.randint(2, LIMIT)
        first = {"+": result - second, "-": result + second}.get(operator, 0)
        if operator in "*/":
            second = rng.randint(2, 12)
            first = rng.randint(2, LIMIT // second)
            result = first * second
        if operator == "/":
            first, result = result, first
        if 2 <= first <= LIMIT:
            calculations.append((f" {first}{operator}{second}={rng.choice(('', '$'))}", str(result)))
    return calculations


def _draw(habit: str, choices: Sequence[str], rng: random.Random) -> str:
    return habit if rng.random() < HABIT_SHARE else rng.choice(choices)
