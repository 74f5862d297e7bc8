"""Completions a second of the two engines that evaluations have: vLLM against transformers, on one model, greedy.

`python -m tests.bench.vllm_completions [--batches N] [--size N] [--tokens N]`, in the environment of `make test-vllm`

The model is SmolLM2-135M-Instruct, the prompts are the demo's. Both engines get the same batches, in this process, in turns,
so that whatever else the machine does meets both alike. Before a ratio is printed, the numbers of tokens of each batch are
compared: where two likeliest tokens are tied, greedy completions part, so that a tenth of the tokens may differ.
"""

import os
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from tests.vllm_engine.models import write_smollm2
from training.data.problems import load_problems
from training.engines import Complete, hugging_face
from training.engines.vllm_batches import load_completer
from training.evaluation.evaluate import BATCH_SIZE
from training.prompts import SYSTEM_PROMPT, Message, Prompting

UNLIKE = 0.1


def main(
    batches: Annotated[int, typer.Option(help="measured, after one that is not")] = 4,
    size: Annotated[int, typer.Option(help="prompts of a batch; an evaluation's by default")] = BATCH_SIZE,
    tokens: Annotated[int, typer.Option(help="of a completion, at most")] = 64,
) -> None:
    """Completions a second of the two engines that evaluations have: vLLM against transformers, on one model, greedy."""
    print(f"machine load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    prompting = Prompting(SYSTEM_PROMPT, "system")
    questions = [prompting.messages(problem.question) for problem in load_problems("demo").problems]
    with tempfile.TemporaryDirectory() as folder:
        name = str(write_smollm2(Path(folder)))
        engines = {
            "transformers": partial(hugging_face.complete, *hugging_face.load_model(name)),
            "vLLM": load_completer(name, "model"),
        }
    found: dict[str, list[float]] = {engine: [] for engine in engines}
    for batch in range(batches + 1):
        asked = questions[batch * size : (batch + 1) * size]
        order = list(engines) if batch % 2 == 0 else [*reversed(engines)]
        done = {engine: _timed(engines[engine], asked, tokens) for engine in order}
        made = {engine: count for engine, (_, count) in done.items()}
        assert abs(made["vLLM"] - made["transformers"]) <= UNLIKE * made["transformers"], made
        if batch:
            for engine, (seconds, count) in done.items():
                found[engine].append(size / seconds)
                print(f"batch {batch}: {engine} {size / seconds:.2f} completions a second, {count:,} tokens", flush=True)
    print(f"machine load after: {os.getloadavg()[0]:.1f}")
    ratios = [one / other for one, other in zip(found["vLLM"], found["transformers"], strict=True)]
    for engine, rates in found.items():
        print(f"{engine}: {median(rates):.2f} completions a second")
    print(f"ratio {median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")


def _timed(complete: Complete, asked: list[list[Message]], tokens: int) -> tuple[float, int]:
    """Seconds, and the tokens of all completions."""
    began = time.perf_counter()
    done = complete(asked, tokens, 0.0)
    return time.perf_counter() - began, sum(count for _, count in done)


if __name__ == "__main__":
    typer.run(main)
