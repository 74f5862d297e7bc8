"""A GRPO run by TRL alone, as anybody writes it. `log_completions=True` is all that this program needs of it."""

import os
import sys
from pathlib import Path

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from training.data.problems import load_problems
from training.home import DEMO_MODEL

SYSTEM = "Respond with <reasoning>...</reasoning> and then <answer>...</answer>."


def accuracy(completions, gold, **columns):
    """1 where the answer in the tags is gold."""
    texts = [completion[0]["content"] for completion in completions]
    return [float(f"<answer>\n{right}\n</answer>" in text) for text, right in zip(texts, gold, strict=True)]


def brevity(completions, **columns):
    """Up to 0.5 for short completions."""
    return [0.5 / (1 + len(completion[0]["content"]) / 200) for completion in completions]


def main(out: str, steps: int) -> None:
    """Train the demo model on the demo problems."""
    rows = [
        {"prompt": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": problem.question}], "gold": problem.gold}
        for problem in load_problems("demo").of_split("train")[:64]
    ]
    arguments = GRPOConfig(
        output_dir=out,
        max_steps=steps,
        num_generations=4,
        per_device_train_batch_size=8,
        max_completion_length=int(os.environ.get("LONGEST", "120")),
        learning_rate=1e-4,
        logging_steps=1,
        save_steps=max(1, steps // 2),
        log_completions=True,
        report_to="none",
        use_cpu=True,
    )
    trainer = GRPOTrainer(
        str(DEMO_MODEL), reward_funcs=[accuracy, brevity], args=arguments, train_dataset=Dataset.from_list(rows)
    )
    trainer.train()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "trl-run", int(sys.argv[2]) if len(sys.argv) > 2 else 20)
    print(f"completions in {Path(sys.argv[1] if len(sys.argv) > 1 else 'trl-run') / 'completions'}")
