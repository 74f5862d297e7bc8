"""Makes the demo's process reward model: the demo model answers generated problems, a copy of it learns which steps are right.

Labels come from the demo's known steps, so nobody marks anything: a step is right as long as every result up to it is the
one of the reference solution. The model learns from its own mistakes, those of the demo model before GRPO. The run can be
stopped at any time; completions that were sampled stay in its work folder.

    python -m training.demo.process_rewards
"""

from __future__ import annotations

import json
import math
import platform
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import torch
import typer
from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer, PreTrainedModel

from training.demo.pretrain import MAX_NEW_TOKENS
from training.demo.word_problems import WordProblem, demo_splits, generate
from training.engines.hugging_face import complete, load_model
from training.home import DEMO_MODEL, DEMO_PRM
from training.judging.judges import judge_named
from training.judging.scoring import load_judge, padded, step_tokens
from training.judging.steps import reasoning_steps
from training.prompts import Prompting
from training.terminal import new_program, run_program

SEED = 20251129
PROBLEMS, HELD_OUT, SAMPLES = 576, 76, 4
"""Generated problems, how many of them only measure, and completions of each."""
EPOCHS, BATCH, LEARNING_RATE, WARM_UP = 3, 32, 2e-3, 0.05
NEW_LAYERS = 2
"""On top of the demo model's: there its expectation of each token is complete, to be held against what was written."""
_ASKED_AT_ONCE = 64
SLIPS = 2000
"""Further solutions to learn from: references of other problems, half of them with a slip, of which the last step has it."""
_RESULT = re.compile(r"=\s*\$?(\d+)")
_NUMBER = re.compile(r"\d+")
_UNLABELLED = -100


@dataclass(frozen=True)
class Labelled:
    """A completion's steps, and which are right."""

    problem: int
    """Its place among the problems."""
    question: str
    steps: list[str]
    right: list[bool]


def labels(steps: Sequence[str], reference: Sequence[str]) -> list[bool]:
    """Whether all results up to each step are those of the reference solution, line by line."""
    found, so_far = [], True
    for place, step in enumerate(steps):
        so_far = so_far and place < len(reference) and _RESULT.findall(step) == _RESULT.findall(reference[place])
        found.append(so_far)
    return found


# --- completions -----------------------------------------------------------------------------------------------------


def sample(problems: Sequence[WordProblem], work: Path) -> list[Labelled]:
    """Several completions of each problem by the demo model, labelled; those of an earlier call are read from `work`."""
    file = work / "completions.jsonl"
    found = [Labelled(**json.loads(line)) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
    starts = range(len({one.problem for one in found}), len(problems), _ASKED_AT_ONCE)
    if not starts:
        return found
    model, tokenizer = load_model("demo")
    with file.open("a", encoding="utf-8") as stream:
        for start in starts:
            torch.manual_seed(SEED + start)
            places = [place for place in range(start, min(start + _ASKED_AT_ONCE, len(problems))) for _ in range(SAMPLES)]
            prompts = [Prompting().messages(problems[place].question) for place in places]
            texts = [text for text, _ in complete(model, tokenizer, prompts, MAX_NEW_TOKENS, 1.0)]
            new = [_labelled(place, problems[place], text) for place, text in zip(places, texts, strict=True)]
            stream.writelines(json.dumps(asdict(one)) + "\n" for one in new)
            stream.flush()
            found += new
            print(f"sampled {found[-1].problem + 1:,} of {len(problems):,} problems", flush=True)
    return found


def _labelled(place: int, problem: WordProblem, completion: str) -> Labelled:
    steps = list(reasoning_steps(completion))
    return Labelled(place, problem.question, steps, labels(steps, problem.steps))


def slips(problems: Sequence[WordProblem]) -> list[Labelled]:
    """Their reference solutions, every other one up to a step whose result is another."""
    rng = random.Random(SEED)
    found = []
    for number, problem in enumerate(problems):
        steps = problem.steps
        if number % 2:
            steps = steps[: rng.randint(1, len(steps))]
            steps[-1] = _slipped(steps[-1], rng)
        found.append(Labelled(-1, problem.question, steps, labels(steps, problem.steps)))
    return found


def _slipped(step: str, rng: random.Random) -> str:
    """A step whose last result is another: by one, by ten, or any of as many digits."""
    *_, result = _RESULT.finditer(step)
    value = int(result[1])
    other = rng.choice([value - 1, value + 1, value - 10, value + 10, rng.randint(2, 99)])
    return f"{step[: result.start(1)]}{abs(other) if other != value else value + 2}{step[result.end(1) :]}"


# --- training --------------------------------------------------------------------------------------------------------


def train(learnt: Sequence[tuple[Labelled, Sequence[str]]]) -> tuple[PreTrainedModel, Any]:
    """The demo model's body as it is, with new layers and a head that learn to tell, where a step ends, whether it is right."""
    torch.manual_seed(SEED)
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    config = AutoConfig.from_pretrained(DEMO_MODEL, num_labels=2)
    known = config.num_hidden_layers
    config.num_hidden_layers += NEW_LAYERS
    model = AutoModelForTokenClassification.from_pretrained(DEMO_MODEL, config=config, dtype=torch.float32).train()
    for part in (model.model.embed_tokens, *model.model.layers[:known]):
        part.requires_grad_(False)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    total = EPOCHS * math.ceil(len(learnt) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / total))
    for step, rows in enumerate(_batches(learnt, tokenizer)):
        ids, mask = padded([ids for ids, _ in rows], tokenizer.pad_token_id)
        targets, _ = padded([targets for _, targets in rows], _UNLABELLED)
        loss = model(input_ids=ids, attention_mask=mask, labels=targets).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 10 == 0:
            print(f"step {step:,} of {total:,}  loss {loss.item():.4f}", flush=True)
    return model.eval(), tokenizer


def _rate(progress: float) -> float:
    """A linear rise, then a cosine to nothing, as a share of the learning rate."""
    return min(progress / WARM_UP, 0.5 * (1 + math.cos(math.pi * progress)))


def _batches(learnt: Sequence[tuple[Labelled, Sequence[str]]], tokenizer: Any) -> Iterator[list[tuple[list[int], list[int]]]]:
    """(ids, labels) of each completion, in batches of similar lengths, which come in another order each epoch."""
    rows = sorted((_row(one, reference, tokenizer) for one, reference in learnt if one.steps), key=lambda row: len(row[0]))
    starts = list(range(0, len(rows), BATCH))
    for epoch in range(EPOCHS):
        random.Random(SEED + epoch).shuffle(starts)
        yield from (rows[start : start + BATCH] for start in starts)


def _row(one: Labelled, reference: Sequence[str], tokenizer: Any) -> tuple[list[int], list[int]]:
    """(ids, labels): every token of the solution says whether all is right up to it, so that a slip is learnt where it is made.

    All is wrong from the first digit on that is not the reference's.
    """
    ids, ends = step_tokens(tokenizer, one.question, one.steps)
    begin = len(step_tokens(tokenizer, one.question, [])[0])
    wrong_from = len(ids)
    if (number := sum(one.right)) < len(one.steps):
        known = reference[number] if number < len(reference) else ""
        up_to_slip = one.steps[number][: _slip_end(one.steps[number], known)]
        wrong_from = (ends[number - 1] + 1 if number else begin) + len(tokenizer.tokenize(up_to_slip)) - 1
    return ids, [_UNLABELLED] * begin + [1] * (wrong_from - begin) + [0] * (len(ids) - wrong_from)


def _slip_end(step: str, reference: str) -> int:
    """The end of the first digit at which the numbers of a step are not those of the reference; the step's where none is."""
    known = [found[0] for found in _NUMBER.finditer(reference)]
    for found, expected in zip_longest(_NUMBER.finditer(step), known):
        if found is not None and found[0] != expected:
            pairs = enumerate(zip_longest(found[0], expected or ""))
            return found.start() + min(next(place for place, (a, b) in pairs if a != b) + 1, len(found[0]))
    return len(step)


def publish(model: PreTrainedModel, tokenizer: Any, folder: Path) -> None:
    """Write the model as half-precision weights that load in float32 again."""
    model.half().save_pretrained(folder)
    model.config.dtype = torch.float32
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


# --- measuring -------------------------------------------------------------------------------------------------------


def measure(held_out: Sequence[Labelled], folder: Path) -> dict[str, float]:
    """What the judge in a folder makes of completions that it did not learn from."""
    score = load_judge(judge_named(str(folder)))
    scored = score([(one.question, "\n".join(one.steps)) for one in held_out])
    steps = [pair for one, scores in zip(held_out, scored, strict=True) for pair in zip(scores, one.right, strict=True)]
    by_problem: dict[int, list[tuple[float, bool]]] = {}
    for one, scores in zip(held_out, scored, strict=True):
        if scores:
            by_problem.setdefault(one.problem, []).append((scores[-1], one.right[-1]))
    groups = list(by_problem.values())
    return {
        "steps": len(steps),
        "right": fmean(right for _, right in steps),
        "told": fmean((score > 0.5) == right for score, right in steps),
        "mean": fmean(fmean(right for _, right in group) for group in groups),
        "best": fmean(max(group, key=lambda one: one[0])[1] for group in groups),
        "any": fmean(any(right for _, right in group) for group in groups),
    }


def write_card(folder: Path, learnt: int, figures: dict[str, float], minutes: float) -> None:
    """The model card, with what was measured."""
    card = f"""# Demo process reward model

Scores each step of a solution of the demo's word problems: the chance that all results up to it are right. It exists so that
judging and search can be tried on a CPU, offline; it knows nothing but the demo's problems.

The demo model's body as it is, {NEW_LAYERS} layers more and a token classifier of two labels, as TRL's PRMTrainer leaves one:
the question, then each step with a line break behind it, and the score at the break. Made with
`python -m training.demo.process_rewards` in {EPOCHS} passes over {learnt:,} solutions of generated problems, none of the demo's
test split: completions by the demo model (before GRPO, temperature 1), and {SLIPS:,} references, half of them with a slip.
A step's label is whether every result up to it is that of the generated solution; it learns so of every token.
{minutes:.0f} minutes of one CPU ({platform.machine()}), besides sampling. The weights are stored in half precision and load in
float32.

Measured on {SAMPLES} completions each of {HELD_OUT} further problems, {figures["steps"]:,.0f} steps:

| | |
|---|---|
| steps that are right | {figures["right"]:.3f} |
| steps told apart (above or below 0.5) | {figures["told"]:.3f} |
| reasoning that is right, mean of the completions | {figures["mean"]:.3f} |
| of the best of {SAMPLES} by its last step's score | {figures["best"]:.3f} |
| of at least one of {SAMPLES} | {figures["any"]:.3f} |
"""
    (folder / "README.md").write_text(card, encoding="utf-8", newline="\n")


def make_demo_prm(
    problems: Annotated[int, typer.Option(min=HELD_OUT + 1, help="generated ones, the last of which only measure")] = PROBLEMS,
    out: Annotated[Path, typer.Option(metavar="DIR", help="where the model goes")] = DEMO_PRM,
    work: Annotated[Path, typer.Option(metavar="DIR", help="completions that were sampled")] = Path("build/demo-prm"),
) -> int:
    """Sample, label, train and measure the demo's process reward model."""
    work.mkdir(parents=True, exist_ok=True)
    test_questions = {problem.question for problem in demo_splits()["test"]}
    asked = generate(problems, seed=SEED, exclude=test_questions)
    found = sample(asked, work)
    learnt = [(one, asked[one.problem].steps) for one in found if one.problem < problems - HELD_OUT]
    others = generate(SLIPS, seed=SEED + 1, exclude={*test_questions, *(problem.question for problem in asked)})
    learnt += [(one, problem.steps) for one, problem in zip(slips(others), others, strict=True)]
    began = time.process_time()
    publish(*train(learnt), out)
    minutes = (time.process_time() - began) / 60
    figures = measure([one for one in found if one.problem >= problems - HELD_OUT], out)
    print("  ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    write_card(out, len(learnt), figures, minutes)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    return run_program(new_program({"process_rewards": make_demo_prm}), "python -m training.demo.process_rewards", arguments)


if __name__ == "__main__":
    sys.exit(main())
