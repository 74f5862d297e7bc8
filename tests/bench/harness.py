"""lm-evaluation-harness's task `gsm8k` and an evaluation here, of one model on the same problems: whether they say the same.

`python -m tests.bench.harness [--model M] [--source S] [--fraction F] [--shots N] [--tokens N] [--chat]`, in the environment
of `make test-harness`

Both calculate greedily in float32 on the CPU, the harness prompt by prompt (its batch size is 1), ours in batches. Prompts have
to be equal to the last character, completions too but where the two likeliest tokens are tied, which is looked up in the model;
of equal completions the extracted answers and the scores have to be equal. What is not ends it with an error.
"""

import json
import os
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

import typer

from training.data.problem import Problem
from training.data.problems import load_problems
from training.home import Home
from training.jobs.evaluate import EVALUATE, EvaluationSpec, asked_prompts, evaluated_problems, evaluation_spec
from training.jobs.evaluation_files import Result, results
from training.jobs.running import run_job
from training.prompts import Prompt
from training.runs.launch import queue_job
from training.store import Store
from training.store.evaluations import complete_evaluations

MEASURES = ("strict-match", "flexible-extract")
TIE = 1e-3
"""Two logits that are nearer in float32 may come out in either order."""
_TASK = "gsm8k_here"


@dataclass(frozen=True)
class Answered:
    """What one program made of one problem."""

    prompt: Prompt
    completion: str
    extracted: dict[str, str]
    """By measure."""
    scores: dict[str, float]


def main(
    model: Annotated[str, typer.Option(help='"demo", or a folder')] = "demo",
    source: Annotated[str, typer.Option(help="whose problems are written as GSM8K's")] = "demo",
    fraction: Annotated[float, typer.Option(help="of the test split")] = 0.25,
    shots: Annotated[int, typer.Option(help="worked examples")] = 1,
    tokens: Annotated[int, typer.Option(help="of a completion at most")] = 100,
    chat: Annotated[bool, typer.Option("--chat", help="by the model's chat template")] = False,
) -> None:
    """Measure with both, compare problem by problem, and print one table."""
    problem_set = load_problems(source)
    spec = evaluation_spec(
        model,
        problem_set,
        split="test",
        fraction=fraction,
        temperature=0.0,
        samples=1,
        max_completion_length=tokens,
        prompt_style="question-answer-chat" if chat else "question-answer",
        shots=shots,
        seed=1234,
    )
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HF_DATASETS_CACHE"] = f"{folder}/cache"
        began = time.monotonic()
        ours = measured_here(spec, Path(folder))
        between = time.monotonic()
        theirs = measured_by_harness(spec, Path(folder))
        seconds = {"lm-evaluation-harness": time.monotonic() - between, "GRPO Atlas": between - began}
    parted = compare(spec, ours, theirs)
    asked = f"{spec.prompt_style}, {shots} examples, at most {tokens} tokens"
    print(f"{model}, {len(ours):,} test problems of {problem_set.name}, {asked}")
    print(f"{'':<22}" + "".join(f"{name:>18}" for name in (*MEASURES, "seconds")))
    for name, answers in (("lm-evaluation-harness", theirs), ("GRPO Atlas", ours)):
        figures = [sum(answer.scores[measure] for answer in answers) / len(answers) for measure in MEASURES]
        print(f"{name:<22}" + "".join(f"{figure:>18.4f}" for figure in figures) + f"{seconds[name]:>18.0f}")
    print(f"{len(ours):,} prompts equal; {len(ours) - parted:,} completions equal, {parted:,} part where two tokens are tied.")


def measured_here(spec: EvaluationSpec, folder: Path) -> list[Answered]:
    """The evaluation as `python -m training evaluate` makes it, in a home of its own."""
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(folder / "home")})
    store = Store.open(home.store_url)
    job, _ = queue_job(store, home, EVALUATE, spec)
    run_job(store, home, job.id)
    problem_set = load_problems(spec.source)
    (evaluation,) = complete_evaluations(store, job.id)
    rows = results(store.job(job.id), evaluation, problem_set)
    return [_answered(prompt, row) for prompt, row in zip(asked_prompts(spec, problem_set), rows, strict=True)]


def _answered(prompt: Prompt, row: Result) -> Answered:
    scores = {name: float(row.rewards[name.replace("-", "_")] or 0.0) for name in MEASURES}
    return Answered(prompt, row.completion, {name: row.extracted[name] for name in MEASURES}, scores)


def measured_by_harness(spec: EvaluationSpec, folder: Path) -> list[Answered]:
    """The harness's own task on files of the same problems; needs `lm_eval`."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from training.engines.hugging_face import resolve_model

    task_folder = write_task(spec, folder / "task")
    is_chat = not spec.style.is_text
    found = simple_evaluate(
        model="hf",
        model_args={"pretrained": resolve_model(spec.model), "dtype": "float32"},
        tasks=[_TASK],
        task_manager=TaskManager(include_path=str(task_folder)),
        num_fewshot=spec.shots,
        batch_size=1,
        device="cpu",
        gen_kwargs=f"max_gen_toks={spec.max_completion_length}",
        apply_chat_template=is_chat,
        fewshot_as_multiturn=is_chat,
        log_samples=True,
        bootstrap_iters=0,
    )
    by_filter: dict[str, list[dict[str, Any]]] = {name: [] for name in MEASURES}
    for sample in sorted(found["samples"][_TASK], key=lambda sample: sample["doc_id"]):
        by_filter[sample["filter"]].append(sample)
    return [_logged(dict(zip(MEASURES, samples, strict=True))) for samples in zip(*by_filter.values(), strict=True)]


def _logged(samples: dict[str, dict[str, Any]]) -> Answered:
    first = samples[MEASURES[0]]
    return Answered(
        first["arguments"][0][0],
        first["resps"][0][0],
        {name: sample["filtered_resps"][0] for name, sample in samples.items()},
        {name: float(sample["exact_match"]) for name, sample in samples.items()},
    )


def write_task(spec: EvaluationSpec, folder: Path) -> Path:
    """The folder with the problems as JSON Lines and a task that reads them, and is the harness's `gsm8k` otherwise."""
    package = find_spec("lm_eval")
    assert package is not None
    assert package.submodule_search_locations
    gsm8k = Path(package.submodule_search_locations[0]) / "tasks" / "gsm8k" / "gsm8k.yaml"
    problem_set = load_problems(spec.source)
    folder.mkdir(parents=True)
    files = {"train": problem_set.of_split("train"), "test": evaluated_problems(spec, problem_set)}
    for split, problems in files.items():
        (folder / f"{split}.jsonl").write_text("".join(map(_line, problems)))
    data_files = {split: str(folder / f"{split}.jsonl") for split in files}
    task = {
        "include": str(gsm8k),
        "task": _TASK,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": data_files},
    }
    (folder / f"{_TASK}.yaml").write_text(json.dumps(task))  # which is YAML too
    return folder


def _line(problem: Problem) -> str:
    return json.dumps({"question": problem.question, "answer": problem.answer}) + "\n"


def compare(spec: EvaluationSpec, ours: list[Answered], theirs: list[Answered]) -> int:
    """How many completions part at a tie; everything else has to be equal."""
    from training.engines import hugging_face

    model, tokenizer = hugging_face.load_model(spec.model, None if spec.style.is_text else spec.chat_template)
    parted = 0
    for mine, other in zip(ours, theirs, strict=True):
        prompt = mine.prompt
        if not isinstance(prompt, str):
            prompt = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
        assert prompt == other.prompt, (prompt, other.prompt)
        if mine.completion == other.completion:
            assert (mine.extracted, mine.scores) == (other.extracted, other.scores), (mine, other)
            continue
        ids = hugging_face.prompt_tokens(tokenizer, [mine.prompt])[0]
        gap = gap_where_they_part(model, tokenizer, ids, mine.completion, other.completion)
        assert gap < TIE, (gap, mine.completion, other.completion)
        parted += 1
    return parted


def gap_where_they_part(model: Any, tokenizer: Any, prompt: list[int], mine: str, other: str) -> float:
    """By how much the model finds one token likelier than the next where two completions part, in logits."""
    import torch

    first, second = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (mine, other))
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
    with torch.inference_mode():
        highest, following = model(torch.tensor([[*prompt, *first[:shared]]])).logits[0, -1].topk(2).values.tolist()
    return float(highest - following)


if __name__ == "__main__":
    typer.run(main)
