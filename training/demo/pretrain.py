"""Makes the demo model: trains a small Llama from nothing on endless `word_problems`, then measures it on the test split.

Bare calculations are mixed in, since a problem shows few of them and most mistakes are made in them.

The reference completions are right but mixed in format on purpose: the number comes bare, with its unit or in a sentence,
and the tags are not always in order. So the model can calculate, yet often fails hard correctness: what GRPO then mends.
GRPO itself is not done here. The run can be stopped at any time and goes on from its work folder when started again.

    python -m training.demo.pretrain
"""

from __future__ import annotations

import math
import platform
import random
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM
from transformers import PreTrainedTokenizerFast as Tokens

from training.demo.lessons import drill, reference_completion
from training.demo.muon import Muon
from training.demo.stories import LIMIT
from training.demo.word_problems import WordProblem, demo_splits, generate
from training.home import DEMO_MODEL
from training.prompts import SYSTEM_PROMPT, Prompting
from training.rewards import REWARDS
from training.terminal import new_program, run_program

PAD, END = "<|pad|>", "<|end|>"
SPECIAL_TOKENS = [PAD, END, "<|system|>", "<|user|>", "<|assistant|>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
MAX_NEW_TOKENS = 160

STEPS = 1030
"""Chosen so that something is left to learn: 1,100 led to a hard correctness of 0.360, a soft one of 0.777 (greedy, test)."""

PIECES = r"</?\w+>\n?| ?\d| ?[A-Za-z]+| ?[^\sA-Za-z\d]+\n?|\s"
"""What a token may span: a tag or a full stop with its line break, one digit, one word."""

OTHER_PROMPTS, OTHER_PROMPT_SHARE = (SYSTEM_PROMPT.rpartition("\n")[0], ""), 0.06
"""Now and then the notebook's prompt without the article's line, or none, so that a changed prompt doesn't derail the model."""

DRILLS = 4
"""Batches of bare calculations beside 32 of problems: a problem shows only three or four calculations."""


@dataclass(frozen=True)
class Recipe:
    """Sizes and rates of the run."""

    vocabulary: int = 1536
    hidden: int = 192
    mlp: int = 512
    layers: int = 4
    heads: int = 4
    context: int = 512
    batch: int = 32
    learning_rate: float = 5e-3
    warm_up: float = 0.03
    """Share of the budget over which the learning rate rises; a cosine takes it down from there."""
    weight_decay: float = 0.05
    gradient_norm: float = 1.0
    save_every_s: float = 240.0


# --- tokens ----------------------------------------------------------------------------------------------------------


def load_tokenizer(recipe: Recipe, work: Path) -> Tokens:
    """The tokenizer of the run in `work`, made and kept there at its start: weights and vocabulary belong together."""
    if not (work / "tokenizer").is_dir():
        build_tokenizer(recipe).save_pretrained(work / "tokenizer")
    return Tokens.from_pretrained(work / "tokenizer")


def build_tokenizer(recipe: Recipe) -> Tokens:
    """Byte-level BPE with single digits, learned from generated problems and their completions.

    The fixed system prompt is one token: spelled out, it would be a third of all that the model reads.
    """
    rng = random.Random(1)
    texts = [f"{p.question}\n{reference_completion(p, rng)}" for p in generate(8000, seed=1)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PIECES), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.vocabulary - 1,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts, *[SYSTEM_PROMPT] * 200], trainer)
    tokenizer.add_tokens([AddedToken(SYSTEM_PROMPT, normalized=False)])
    return Tokens(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=SPECIAL_TOKENS[2:],
        chat_template=CHAT_TEMPLATE,
        model_max_length=recipe.context,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def encode_prompt(tokenizer: Tokens, question: str, system_prompt: str = SYSTEM_PROMPT) -> list[int]:
    text = tokenizer.apply_chat_template(
        Prompting(system_prompt).messages(question), tokenize=False, add_generation_prompt=True
    )
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


def batches(tokenizer: Tokens, recipe: Recipe, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless (ids, labels), both (batch, T) int64, of similar lengths; labels cover the completion, or a drill's results.

    The demo's test questions are left out.
    """
    test_questions = {problem.question for problem in demo_splits()["test"]}
    while True:
        rng = random.Random(seed)
        rows = []
        for problem in generate(recipe.batch * 32, seed=seed, exclude=test_questions):
            system_prompt = rng.choice(OTHER_PROMPTS) if rng.random() < OTHER_PROMPT_SHARE else SYSTEM_PROMPT
            prompt = encode_prompt(tokenizer, problem.question, system_prompt)
            completion = tokenizer.encode(reference_completion(problem, rng) + END, add_special_tokens=False)
            rows.append((prompt + completion, [-100] * len(prompt) + completion))
        for _ in range(recipe.batch * DRILLS):
            pieces = [tokenizer.encode(piece, add_special_tokens=False) for pair in drill(rng) for piece in pair]
            ids = [token for piece in pieces for token in piece]
            rows.append((ids, [label for i, piece in enumerate(pieces) for label in (piece if i % 2 else [-100] * len(piece))]))
        rows.sort(key=lambda row: len(row[0]))
        starts = list(range(0, len(rows), recipe.batch))
        rng.shuffle(starts)
        for start in starts:
            chunk = rows[start : start + recipe.batch]
            width = max(len(ids) for ids, _ in chunk)
            ids = [ids + [tokenizer.pad_token_id] * (width - len(ids)) for ids, _ in chunk]
            labels = [labels + [-100] * (width - len(labels)) for _, labels in chunk]
            yield torch.tensor(ids), torch.tensor(labels)
        seed += 1


# --- training --------------------------------------------------------------------------------------------------------


def build_model(recipe: Recipe, tokenizer: Tokens) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.mlp,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        max_position_embeddings=recipe.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def rate_at(progress: float, recipe: Recipe) -> float:
    """The learning rate after a share `progress` of the budget: a linear rise, then a cosine to a hundredth."""
    if progress < recipe.warm_up:
        return recipe.learning_rate * max(progress / recipe.warm_up, 0.02)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - recipe.warm_up) / (1 - recipe.warm_up))))
    return recipe.learning_rate * (0.01 + 0.99 * cosine)


def build_optimizers(model: LlamaForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for embeddings and norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        Muon(matrices, recipe.learning_rate, weight_decay=recipe.weight_decay),
        torch.optim.AdamW(others, lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


@dataclass
class Run:
    """A training run in progress; `state` and `restore` carry it over a restart."""

    model: LlamaForCausalLM
    optimizers: list[torch.optim.Optimizer]
    step: int = 0
    elapsed_s: float = 0.0
    chunk: int = 100
    """Seed of the next problems to generate; a restart takes a fresh one."""

    def save(self, folder: Path) -> None:
        state = {"model": self.model.state_dict(), "optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}
        state |= {"step": self.step, "elapsed_s": self.elapsed_s, "chunk": self.chunk}
        torch.save(state, folder / "state.tmp")
        (folder / "state.tmp").replace(folder / "state.pt")

    def restore(self, folder: Path) -> None:
        if not (folder / "state.pt").exists():
            return
        state = torch.load(folder / "state.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.elapsed_s, self.chunk = state["step"], state["elapsed_s"], state["chunk"] + 10_000
        print(f"going on from step {self.step} after {self.elapsed_s / 60:.1f} minutes")


@dataclass(frozen=True)
class Budget:
    """How long to train."""

    steps: int
    minutes: float | None
    """Counts instead of the steps where it is given."""

    def share_used(self, run: Run) -> float:
        """1 and more once it is used up."""
        return run.elapsed_s / (60 * self.minutes) if self.minutes else run.step / self.steps


def train(run: Run, tokenizer: Tokens, recipe: Recipe, budget: Budget, work: Path, out: Path) -> None:
    """Train until the budget is used, saving to `work` and publishing to `out` on the way."""
    device = run.model.device
    last, saved_s = time.monotonic(), run.elapsed_s
    for ids, labels in batches(tokenizer, recipe, run.chunk):
        progress = budget.share_used(run)
        if progress >= 1:
            break
        for group in (group for optimizer in run.optimizers for group in optimizer.param_groups):
            group["lr"] = rate_at(progress, recipe)
        ids, labels = ids.to(device), labels.to(device)
        loss = run.model(input_ids=ids, attention_mask=(ids != tokenizer.pad_token_id).long(), labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(run.model.parameters(), recipe.gradient_norm)
        for optimizer in run.optimizers:
            optimizer.step()
        run.model.zero_grad()
        run.step += 1
        now = time.monotonic()
        run.elapsed_s, last = run.elapsed_s + now - last, now
        if run.step % 50 == 0:
            print(f"step {run.step}  {run.elapsed_s / 60:.1f} min  loss {loss.item():.4f}", flush=True)
        if run.elapsed_s - saved_s > recipe.save_every_s:
            saved_s = run.elapsed_s
            run.save(work)
            publish(run.model, tokenizer, out)
            print_scores("quick", measure(run.model, tokenizer, demo_splits()["test"][:50], sample=False))
            last = time.monotonic()
    run.save(work)


def publish(model: LlamaForCausalLM, tokenizer: Tokens, folder: Path) -> None:
    """Write the model as half-precision weights that load in float32 again; the weights change in one rename."""
    temporary = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    half = LlamaForCausalLM(model.config).half()
    half.load_state_dict(model.state_dict())
    half.save_pretrained(temporary)
    half.config.dtype = torch.float32
    half.config.save_pretrained(temporary)
    tokenizer.save_pretrained(temporary)
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(temporary.iterdir()):
        file.replace(folder / file.name)
    temporary.rmdir()


# --- measuring -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def complete(model: LlamaForCausalLM, tokenizer: Tokens, questions: list[str], *, sample: bool) -> list[list[int]]:
    """Token ids of one completion for each question, the end token left out."""
    completions: list[list[int]] = []
    for start in range(0, len(questions), 100):
        prompts = [encode_prompt(tokenizer, question) for question in questions[start : start + 100]]
        batch = tokenizer.pad({"input_ids": prompts}, return_tensors="pt").to(model.device)
        settings = {"do_sample": True, "temperature": 1.0, "top_k": 0} if sample else {"do_sample": False}
        output = model.generate(**batch, max_new_tokens=MAX_NEW_TOKENS, **settings)
        for row in output[:, batch["input_ids"].shape[1] :].tolist():
            ends = [i for i, token in enumerate(row) if token in (tokenizer.eos_token_id, tokenizer.pad_token_id)]
            completions.append(row[: ends[0]] if ends else row)
    return completions


def measure(model: LlamaForCausalLM, tokenizer: Tokens, problems: list[WordProblem], *, sample: bool) -> dict[str, float]:
    """Mean of every reward and of the completion length in tokens."""
    model.eval()
    completions = complete(model, tokenizer, [problem.question for problem in problems], sample=sample)
    texts = tokenizer.batch_decode(completions)
    model.train()
    pairs = [(text, problem.gold) for text, problem in zip(texts, problems, strict=True)]
    scores = {name: sum(reward.score(*pair) or 0.0 for pair in pairs) / len(pairs) for name, reward in REWARDS.items()}
    return scores | {"tokens": sum(map(len, completions)) / len(completions)}


def print_scores(title: str, scores: dict[str, float]) -> None:
    print(f"{title}: " + "  ".join(f"{name} {value:.3f}" for name, value in scores.items()), flush=True)


def write_card(run: Run, folder: Path, tables: dict[str, dict[str, float]], problems: int) -> None:
    """The model card, with the measured table."""
    processor = "a GPU" if run.model.device.type == "cuda" else f"{torch.get_num_threads()} CPU threads ({platform.machine()})"
    parameters = sum(p.numel() for p in run.model.parameters()) / 1e6
    columns = list(tables)
    rows = ["| ".join([f"| {name} ", *(f"{tables[c][name]:.3f} " for c in columns)]) + "|" for name in tables[columns[0]]]
    table = "\n".join(rows)
    card = f"""# Demo model

A Llama of {parameters:.1f} million parameters that does the demo's word problems and nothing else. It exists so that real GRPO
can be watched on a CPU in minutes. It is no language model: don't use it for anything outside this demo.

Vocabulary (byte-level BPE, single digits) and weights were learned from nothing with `python -m training.demo.pretrain`
on problems generated by `training.demo.word_problems` (results up to {LIMIT}), none of them from the demo's test split,
and on bare calculations in between: {run.step:,} steps, {run.elapsed_s / 60:.0f} minutes on {processor}.
The weights are stored in half precision and load in float32. How long to train was chosen by the table below, for a start that
leaves GRPO something to do.

**It was taught mixed answer formats on purpose.** Its reference solutions were right, but gave the number bare ("57"),
with its unit ("$57", "57 apples") or in a sentence ("The answer is 57."), and three in ten had the answer's tags on
one line or a tag missing. Each theme has a format that it prefers, so what the model writes differs over the map.
So it starts with soft correctness well above hard correctness, which GRPO then closes. That gap is made, not found.

Measured before GRPO on the demo's {problems} test problems (at most {MAX_NEW_TOKENS} new tokens): means of `training.rewards`,
and the completion's length in tokens.

| | {" | ".join(columns)} |
|---|{"---|" * len(columns)}
{table}
"""
    (folder / "README.md").write_text(card, encoding="utf-8", newline="\n")


def make_demo_model(
    steps: Annotated[int | None, typer.Option(min=1, help="how many to train", show_default=str(STEPS))] = None,
    minutes: Annotated[float | None, typer.Option(min=0, help="train for so long instead, restarts not counted")] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="where the model goes")] = DEMO_MODEL,
    work: Annotated[Path, typer.Option(metavar="DIR", help="checkpoints")] = Path("build/demo-model"),
) -> int:
    """Train the demo model from nothing and measure it."""
    if minutes is not None and steps is not None:
        raise typer.BadParameter("not allowed with --steps", param_hint="--minutes")
    recipe = Recipe()
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = load_tokenizer(recipe, work)
    model = build_model(recipe, tokenizer).to("cuda" if torch.cuda.is_available() else "cpu")
    run = Run(model, build_optimizers(model, recipe))
    run.restore(work)
    train(run, tokenizer, recipe, Budget(steps or STEPS, minutes), work, out)
    publish(model, tokenizer, out)
    test = demo_splits()["test"]
    tables = {
        "greedy": measure(model, tokenizer, test, sample=False),
        "sampled, temperature 1.0": measure(model, tokenizer, test, sample=True),
    }
    for title, scores in tables.items():
        print_scores(title, scores)
    write_card(run, out, tables, len(test))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    return run_program(new_program({"pretrain": make_demo_model}), "python -m training.demo.pretrain", arguments)


if __name__ == "__main__":
    sys.exit(main())
