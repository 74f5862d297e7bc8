"""Makes the demo's judge: a copy of the demo model that learns what right solutions look like, and what its own slips do.

It is asked how likely it finds a completion, so it keeps the demo model's form. It learns from references of generated
problems, and from completions by the demo model before GRPO up to the first slip, where it learns that this digit is unlikely.
Slips come from the demo's known steps, so nobody marks anything. The run can be stopped at any time; completions that were
sampled stay in its work folder.

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
from itertools import chain, islice, repeat, zip_longest
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import torch
import typer
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from training.demo import pretrain
from training.demo.lessons import reference_completion
from training.demo.pretrain import END, MAX_NEW_TOKENS, publish
from training.demo.word_problems import WordProblem, demo_splits, generate
from training.engines.hugging_face import complete, load_model
from training.home import DEMO_MODEL, DEMO_PRM
from training.judging.judges import judge_named
from training.judging.scoring import likelihood_tokens, load_judge, padded
from training.judging.steps import solution_steps
from training.prompts import SYSTEM_PROMPT, Prompting
from training.terminal import new_program, run_program

SEED = 20251129
PROBLEMS, HELD_OUT, SAMPLES = 1400, 200, 4
"""Generated problems, how many of them only measure, and completions of each."""
REFERENCES = 9000
"""Further problems of which the reference solutions are learnt."""
CHAT_TEMPLATE = f"{{% if messages[0]['role'] == 'user' %}}<|system|>{SYSTEM_PROMPT}{END}{{% endif %}}" + pretrain.CHAT_TEMPLATE
"""Puts the system prompt that the demo model knows before a question without one, as a judge asks it."""
BATCH, LEARNING_RATE, WARM_UP = 32, 5e-4, 0.05
_ASKED_AT_ONCE = 64
_RESULT = re.compile(r"=\s*\$?(\d+)")
_NUMBER = re.compile(r"\d+")
_UNLABELLED, _SLIP, _WRITTEN = -100, 0, 1


@dataclass(frozen=True)
class Sampled:
    """A completion by the demo model."""

    problem: int
    """Its place among the problems."""
    completion: str


def labels(steps: Sequence[str], problem: WordProblem) -> list[bool]:
    """Whether all results up to each step are those of the reference solution, line by line, its answer as the last."""
    found, so_far = [], True
    for step, known in zip(steps, _known(problem, len(steps)), strict=True):
        so_far = so_far and _results(step) == _results(known)
        found.append(so_far)
    return found


def _known(problem: WordProblem, number: int) -> Iterator[str]:
    """The reference's first steps with the answer as the last, then empty ones."""
    return islice(chain(problem.steps, [problem.gold], repeat("")), number)


def _results(step: str) -> list[str]:
    """What a step comes to; of one that calculates nothing the numbers that it names."""
    return _RESULT.findall(step) or _NUMBER.findall(step)


def slip_end(completion: str, problem: WordProblem) -> int | None:
    """Where the first digit ends that is not the reference's; `None` where every step is right.

    A step that says fewer numbers than the reference's slips at its end.
    """
    steps, begin = solution_steps(completion), 0
    right = labels([step.text for step in steps], problem)
    for step, is_right, known in zip(steps, right, _known(problem, len(steps)), strict=True):
        if not is_right:
            return completion.index(step.text, begin) + _slip(step.text, known)
        begin = step.end
    return None


def _slip(step: str, known: str) -> int:
    """The end of the first digit of a step at which its numbers are not the known ones; the step's own where there is none."""
    for found, expected in zip_longest(_NUMBER.finditer(step), _NUMBER.findall(known)):
        if found is not None and found[0] != expected:
            pairs = enumerate(zip_longest(found[0], expected or ""))
            return found.start() + min(next(place for place, (a, b) in pairs if a != b) + 1, len(found[0]))
    return len(step)


# --- completions -----------------------------------------------------------------------------------------------------


def sample(problems: Sequence[WordProblem], work: Path) -> list[Sampled]:
    """Several completions of each problem by the demo model; those of an earlier call are read from `work`."""
    file = work / "completions.jsonl"
    found = [Sampled(**json.loads(line)) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
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
            new = [Sampled(place, text) for place, text in zip(places, texts, strict=True)]
            stream.writelines(json.dumps(asdict(one)) + "\n" for one in new)
            stream.flush()
            found += new
            print(f"sampled {found[-1].problem + 1:,} of {len(problems):,} problems", flush=True)
    return found


# --- training --------------------------------------------------------------------------------------------------------


def train(learnt: Sequence[tuple[WordProblem, str]]) -> tuple[LlamaForCausalLM, Any]:
    """The demo model after one pass over (problem, completion)s, as (model, tokenizer)."""
    torch.manual_seed(SEED)
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    tokenizer.chat_template = CHAT_TEMPLATE
    model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    total = math.ceil(len(learnt) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / total))
    for step, rows in enumerate(_batches(learnt, tokenizer)):
        ids, mask = padded([ids for ids, _ in rows], tokenizer.pad_token_id)
        targets, _ = padded([targets for _, targets in rows], _UNLABELLED)
        loss = _loss(model(input_ids=ids, attention_mask=mask).logits, ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 10 == 0:
            print(f"step {step:,} of {total:,}  loss {loss.item():.4f}", flush=True)
    return model.eval(), tokenizer


def _loss(logits: torch.Tensor, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Likelihood of what was written rightly, unlikelihood (Welleck et al. 2020) of slips, a token written rightly."""
    likely = logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    written, slips = (likely[targets[:, 1:] == wanted] for wanted in (_WRITTEN, _SLIP))
    return -(written.sum() + torch.log1p(-slips.exp().clamp(max=1 - 1e-4)).sum()) / written.numel()


def _rate(progress: float) -> float:
    """A linear rise, then a cosine to nothing, as a share of the learning rate."""
    return min(progress / WARM_UP, 0.5 * (1 + math.cos(math.pi * progress)))


def _batches(learnt: Sequence[tuple[WordProblem, str]], tokenizer: Any) -> Iterator[list[tuple[list[int], list[int]]]]:
    """(ids, targets) of each completion, in batches of similar lengths in random order."""
    rows = sorted((_row(*one, tokenizer) for one in learnt), key=lambda row: len(row[0]))
    starts = list(range(0, len(rows), BATCH))
    random.Random(SEED).shuffle(starts)
    yield from (rows[start : start + BATCH] for start in starts)


def _row(problem: WordProblem, completion: str, tokenizer: Any) -> tuple[list[int], list[int]]:
    """(ids, targets): every token up to a slip as written rightly, the slip, and nothing of what follows."""
    row = likelihood_tokens(tokenizer, problem.question, completion)
    end = slip_end(completion, problem)
    if end is None:
        return row.ids, [_UNLABELLED] * row.begin + [_WRITTEN] * (len(row.ids) - row.begin)
    written = len(tokenizer.tokenize(completion[:end])) - 1
    rest = len(row.ids) - row.begin - written - 1
    return row.ids, [_UNLABELLED] * row.begin + [_WRITTEN] * written + [_SLIP] + [_UNLABELLED] * rest


# --- measuring -------------------------------------------------------------------------------------------------------


def measure(held_out: Sequence[Sampled], problems: Sequence[WordProblem], folder: Path) -> dict[str, float]:
    """What the judge in a folder makes of completions that it did not learn from."""
    score = load_judge(judge_named(f"likelihood:{folder}"))
    scored = score([(problems[one.problem].question, one.completion) for one in held_out])
    steps: list[tuple[float, bool]] = []
    by_problem: dict[int, list[tuple[float, bool]]] = {}
    for one, scores in zip(held_out, scored, strict=True):
        right = labels([step.text for step in solution_steps(one.completion)], problems[one.problem])
        steps += zip(scores, right, strict=True)
        by_problem.setdefault(one.problem, []).append((scores[-1], right[-1]) if scores else (0.0, False))
    groups = list(by_problem.values())
    return {
        "steps": len(steps),
        "right": fmean(right for _, right in steps),
        "told": told_apart(steps),
        "mean": fmean(fmean(right for _, right in group) for group in groups),
        "best": fmean(max(group, key=lambda one: one[0])[1] for group in groups),
        "any": fmean(any(right for _, right in group) for group in groups),
    }


def told_apart(scored: Sequence[tuple[float, bool]]) -> float:
    """The chance that a right step scores higher than a wrong one, of equal ones half (the area under the ROC curve)."""
    right, wrong = (torch.tensor([score for score, is_right in scored if is_right == wanted]) for wanted in (True, False))
    higher, equal = (right[:, None] > wrong).float(), (right[:, None] == wrong).float()
    return float((higher + equal / 2).mean())


def write_card(folder: Path, slips: int, figures: dict[str, float], minutes: float) -> None:
    """The model card, with what was measured."""
    card = f"""# The demo's judge

A copy of the demo model that was taught further, asked how likely it finds a solution of the demo's word problems: a slip is
unlikely, and so is what has one. Its score of a step is the geometric mean of the probabilities of all tokens up to the step's
end. It exists so that judging and search can be tried on a CPU, offline; it knows nothing but the demo's problems.

Made with `python -m training.demo.process_rewards` in one pass over {REFERENCES:,} reference solutions of generated problems
and {(PROBLEMS - HELD_OUT) * SAMPLES:,} completions of others by the demo model (before GRPO, temperature 1), none of the
demo's test split. {slips:,} of these completions have a slip, found by the problem's known steps: the first digit that
differs. The judge learns what is written up to there, that the slip is unlikely (Welleck et al. 2020), and nothing of
what follows.
{minutes:.0f} minutes of one CPU ({platform.machine()}), besides sampling. The weights are stored in half precision and load in
float32.

Measured on {SAMPLES} completions each of {HELD_OUT} further problems, {figures["steps"]:,.0f} steps, the answer as the last:

| | |
|---|---|
| steps that are right, with all before them | {figures["right"]:.3f} |
| chance that a right step scores higher than a wrong one | {figures["told"]:.3f} |
| completions that are right | {figures["mean"]:.3f} |
| of the best of {SAMPLES} by its score | {figures["best"]:.3f} |
| of at least one of {SAMPLES} | {figures["any"]:.3f} |
"""
    (folder / "README.md").write_text(card, encoding="utf-8", newline="\n")


def make_demo_prm(
    problems: Annotated[int, typer.Option(min=HELD_OUT + 1, help="generated ones, the last of which only measure")] = PROBLEMS,
    out: Annotated[Path, typer.Option(metavar="DIR", help="where the model goes")] = DEMO_PRM,
    work: Annotated[Path, typer.Option(metavar="DIR", help="completions that were sampled")] = Path("build/demo-prm"),
) -> int:
    """Sample, find slips, train and measure the demo's judge."""
    work.mkdir(parents=True, exist_ok=True)
    test_questions = {problem.question for problem in demo_splits()["test"]}
    asked = generate(problems, seed=SEED, exclude=test_questions)
    found = sample(asked, work)
    learnt = [(asked[one.problem], one.completion) for one in found if one.problem < problems - HELD_OUT]
    slips = sum(slip_end(completion, problem) is not None for problem, completion in learnt)
    rng = random.Random(SEED)
    others = generate(REFERENCES, seed=SEED + 1, exclude={*test_questions, *(problem.question for problem in asked)})
    learnt += [(problem, reference_completion(problem, rng)) for problem in others]
    began = time.process_time()
    publish(*train(learnt), out)
    minutes = (time.process_time() - began) / 60
    figures = measure([one for one in found if one.problem >= problems - HELD_OUT], asked, out)
    print("  ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    write_card(out, slips, figures, minutes)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    return run_program(new_program({"process_rewards": make_demo_prm}), "python -m training.demo.process_rewards", arguments)


if __name__ == "__main__":
    sys.exit(main())
