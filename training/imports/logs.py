"""The logs of other trainers: recognised by their columns, and read row by row. A new one is one more entry of `LAYOUTS`.

Sources: TRL 1.14.2 (`GRPOTrainer.log`, with `log_completions=True`), verl (`RayPPOTrainer._dump_generations`), verifiers
(`scripts/eval.py`, `results.jsonl`), prime-rl (`monitors/file.py`, whose episodes are verifiers' records), Qwen2.5-Math's
evaluation (a row a problem, with lists of completions, labels and a reward model's scores), and this program.
"""

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.data.bad_row import BadRow
from training.data.rows import kind_of, read_rows
from training.errors import SourceError, shown

_STEP_IN_NAME = re.compile(r"(?:^|_)(\d+)(?=\.[a-z.]+$)")
_DEEPEST = 4
"""Folders under the one that is named, in which files are looked for."""
_MOST_FILES = 100_000
LONGEST_COMPLETION = 1_000_000
"""Characters; a longer one is left out."""

LIMITS = (
    "A log holds what its trainer wrote: TRL keeps the completions of the last batch before it logs, so with logging_steps "
    "above 1 the others are not there. Lengths in tokens, and whether a completion was cut off, are known where a log says so."
)
"""What there is to know of runs that were read from logs."""

NAMES = ("step", "prompt", "completion", "reward", "advantage", "id")
"""What a mapping may say, see `Layout`."""


@dataclass(frozen=True)
class Layout:
    """Which columns of a log are what. A cell may be a list: then the row holds a whole group."""

    name: str
    needs: frozenset[str]
    prompt: str = "prompt"
    completion: str = "completion"
    step: str = "step"
    """Where a row has none, the number in the file's name counts, `12.jsonl`, and without one all is step 1."""
    rewards: tuple[str, ...] | None = None
    """Columns with a reward each; `None` for all others that hold numbers. One column may hold all, by name."""
    total: str = ""
    """The reward that a completion was worth in all, and that counts alone; empty where their sum counts."""
    weighted: str = ""
    """The column with the weighted sum of the rewards, itself none of them."""
    advantage: str = "advantage"
    id: str = ""
    """The problem's id in the source, where the log has it."""
    ignored: frozenset[str] = frozenset()
    """Numbers that are no rewards."""
    tokens: str = ""
    finish_reason: str = ""
    right: str = ""
    """The reward by which its authors call a completion right, where they say."""
    rows: Callable[[Mapping[str, Any]], Iterator[Mapping[str, Any]]] = lambda row: iter([row])
    """What a row of the file holds: itself, or several that are as the columns say."""


def _traces(episode: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What an episode of verifiers' (`verifiers/v1/episode.py` and `trace.py` of 0.4.0) holds: a row for each agent's trace.

    The prompt is the last turn of the user before the model's last one; each reward is its score, unweighted.
    """
    try:
        step = episode["run"]["work"]["step"] if episode.get("run") else None
        for trace in episode["traces"]:
            turns = [(node["message"], bool(node.get("sampled"))) for node in trace["nodes"]]
            last = max((place for place, (_, sampled) in enumerate(turns) if sampled), default=None)
            if last is None:
                raise BadRow("the trace has no turn of the model")
            asked = [message for message, _ in turns[:last] if message.get("role") == "user"]
            scores = {name: reward["score"] if reward else None for name, reward in trace["rewards"].items()}
            yield {"step": step, "prompt": asked, "completion": [turns[last][0]], "rewards": scores}
    except (KeyError, TypeError, AttributeError):
        raise BadRow("the episode is not as verifiers writes it") from None


LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "a download of this program",
        frozenset(["step", "group_index", "position", "problem_id", "completion", "rewards", "advantage"]),
        prompt="",
        rewards=("rewards",),
        weighted="total",
        id="problem_id",
        tokens="tokens",
        finish_reason="finish_reason",
    ),
    Layout("prime-rl", frozenset(["env", "task", "traces"]), rewards=("rewards",), advantage="", rows=_traces),
    Layout("TRL", frozenset(["step", "prompt", "completion", "advantage"])),
    Layout(
        "samples of Qwen2.5-Math's evaluation",
        frozenset(["question", "gt", "response", "pred", "score"]),
        prompt="question",
        completion="response",
        step="",
        rewards=("score", "pred_score"),
        total="score",
        advantage="",
        right="score",
    ),
    Layout(
        "verl",
        frozenset(["input", "output", "score", "step"]),
        prompt="input",
        completion="output",
        total="score",
        advantage="",
    ),
    Layout(
        "verifiers",
        frozenset(["prompt", "completion", "reward", "task"]),
        step="",
        total="reward",
        advantage="",
        ignored=frozenset(["example_id", "generation_ms", "scoring_ms", "total_ms", "average_reward"]),
    ),
)
"""The first that fits counts."""


@dataclass(frozen=True)
class Logged:
    """One completion as its trainer logged it."""

    step: int
    prompt: str
    completion: str
    rewards: Mapping[str, float | None]
    advantage: float | None = None
    problem_id: str = ""
    total: float | None = None
    """`None` where it is the sum of the rewards."""
    tokens: int = 0
    finish_reason: str = ""


@dataclass
class LeftOut:
    """What was not read, and why."""

    reasons: dict[str, int] = field(default_factory=dict)
    """Reason -> rows."""
    first: str = ""
    """Where the first was."""

    def add(self, reason: str, place: str) -> None:
        """Count one."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        self.first = self.first or f"{place}: {reason}"


def log_files(path: Path) -> list[Path]:
    """The files of a log: the one that is named, or those in a folder whose rows have completions, in the order of their steps.

    Raises:
        SourceError: there is none.
    """
    if path.is_file():
        return [path]
    found = [file for file in _files_under(path, _DEEPEST) if kind_of(file) is not None]
    of_trl = [file for file in found if file.parent.name == "completions"]
    of_prime_rl = [file for file in found if file.parts[-3:-1] == ("train", "effective")]
    logs = of_trl or of_prime_rl or found
    if not logs:
        raise SourceError(
            f"{shown(str(path))} has no log of completions.",
            "Name the output folder of a TRL run with log_completions=True, verl's rollout_data_dir, or a file of rows.",
        )
    return sorted(logs, key=lambda file: (step_in_name(file) or 0, str(file)))


def step_in_name(file: Path) -> int | None:
    """The number that a file's name ends in: `completions_00012.parquet`, `12.jsonl`."""
    match = _STEP_IN_NAME.search(file.name)
    return int(match[1]) if match else None


def layout_of(files: Sequence[Path], mapping: Mapping[str, str]) -> Layout:
    """How a log is written: as the mapping says, or as its first row shows.

    Raises:
        SourceError: no file has a row, or its columns are not known.
    """
    if mapping:
        mapped = _mapped(mapping)
        _check_columns(files, mapped)
        return mapped
    file, row = _first_row(files)
    if not row:
        raise SourceError(f"No row of {shown(files[0].name)} can be read.", "Wait for the first step, or name another path.")
    layout = next((layout for layout in LAYOUTS if layout.needs <= row.keys()), None)
    if layout is None:
        raise SourceError(
            f"{shown(file.name)} has no columns of a log that is known: {', '.join(map(repr, sorted(row)[:20]))}.",
            "Say which they are, such as prompt=question completion=response reward=score (on the command line behind "
            "--columns).",
        )
    return layout


def logged_rows(file: Path, layout: Layout, left_out: LeftOut) -> Iterator[Logged]:
    """The completions of a file, as far as they can be read.

    Raises:
        SourceError: the file cannot be read on, for one because it is being written.
    """
    for line, row in read_rows(file, None):
        try:
            if isinstance(row, BadRow):
                raise row
            if not isinstance(row, dict):
                raise BadRow("the row is not an object")
            for part in layout.rows(row):
                yield from _of_row(part, layout, step_in_name(file))
        except BadRow as bad:
            left_out.add(bad.reason, f"{file.name}:{line}")


def _check_columns(files: Sequence[Path], layout: Layout) -> None:
    """Raise `SourceError` if the first row lacks a column that a mapping names."""
    _, first = _first_row(files)
    named = (layout.prompt, layout.completion, layout.step, layout.advantage, layout.id, *(layout.rewards or ()))
    if first and (missing := [name for name in named if name and name not in first]):
        alike = difflib.get_close_matches(missing[0], first, 1)
        raise SourceError(
            f"There is no column {shown(missing[0])}; there are {', '.join(map(repr, list(first)[:20]))}.",
            f"Did you mean {alike[0]!r}?" if alike else "Name one of these.",
        )


def _first_row(files: Sequence[Path]) -> tuple[Path, dict[str, Any]]:
    """The first that can be read, and its file; empty where none can."""
    rows = ((file, row) for file in files for _, row in read_rows(file, None))
    return next(((file, row) for file, row in rows if isinstance(row, dict)), (files[0], {}))


def _mapped(mapping: Mapping[str, str]) -> Layout:
    unknown = sorted(set(mapping) - set(NAMES))
    if unknown or "completion" not in mapping or not ("prompt" in mapping or "id" in mapping):
        raise SourceError(
            f"The mapping {shown(' '.join(f'{name}={column}' for name, column in mapping.items()))} is not understood.",
            "It has to say completion=COLUMN and prompt=COLUMN (or id=COLUMN, of the problem's id), and may say reward=A,B "
            "(one or several), step=COLUMN and advantage=COLUMN.",
        )
    return Layout(
        "a mapping",
        frozenset(),
        prompt=mapping.get("prompt", ""),
        completion=mapping["completion"],
        step=mapping.get("step", ""),
        rewards=tuple(filter(None, mapping.get("reward", "").split(","))),
        advantage=mapping.get("advantage", ""),
        id=mapping.get("id", ""),
    )


def _of_row(row: Mapping[str, Any], layout: Layout, step_of_file: int | None) -> Iterator[Logged]:
    completions = row.get(layout.completion)
    if isinstance(completions, list) and completions and not isinstance(completions[0], dict):
        many = completions  # a whole group
    else:
        many = [completions]
    step = _step(row, layout, step_of_file)
    prompt = _text(row.get(layout.prompt), last_role="user") if layout.prompt else ""
    names = layout.rewards
    if names is None:
        names = tuple(name for name, value in row.items() if _is_reward(name, value, layout))
    for place, completion in enumerate(many):
        text = _text(completion, last_role="assistant")
        if len(text) > LONGEST_COMPLETION:
            raise BadRow(f"a completion has more than {LONGEST_COMPLETION:,} characters")
        rewards: dict[str, float | None] = {}
        for name in names:
            value = _part(row.get(name), place, len(many))
            if isinstance(value, dict):
                rewards |= {str(inner): _number(found, str(inner)) for inner, found in value.items()}
            else:
                rewards[name] = _number(value, name)
        advantage = _part(row.get(layout.advantage), place, len(many)) if layout.advantage else None
        yield Logged(
            step,
            prompt,
            text,
            rewards,
            advantage=_number(advantage, "advantage"),
            problem_id=str(row.get(layout.id) or "") if layout.id else "",
            total=_number(row.get(layout.weighted), layout.weighted) if layout.weighted else None,
            tokens=int(_number(row.get(layout.tokens), layout.tokens) or 0) if layout.tokens else 0,
            finish_reason=str(row.get(layout.finish_reason) or "") if layout.finish_reason else "",
        )


def _step(row: Mapping[str, Any], layout: Layout, step_of_file: int | None) -> int:
    value = row.get(layout.step) if layout.step else None
    if value is None:
        value = 1 if step_of_file is None else step_of_file
    number = _number(value, "step")
    if number is None or number != int(number) or not 0 <= number < 2**31:
        raise BadRow("its step is no number of a step", repr(value))
    return max(1, int(number))


def _is_reward(name: str, value: object, layout: Layout) -> bool:
    used = {layout.prompt, layout.completion, layout.step, layout.advantage, layout.id}
    return isinstance(value, int | float) and name not in used and name not in layout.ignored


def _part(value: Any, place: int, number: int) -> Any:
    """A completion's own of a cell; a list of single values, `[0.98]`, is its value."""
    if isinstance(value, list) and number > 1:
        if len(value) != number:
            raise BadRow("a list has another length than the completions", f"{len(value)} instead of {number}")
        value = value[place]
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _number(value: Any, name: str) -> float | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise BadRow(f"{name!r} is no number", repr(value))
    return float(value)


def _text(value: Any, last_role: str) -> str:
    """A cell's text; of a conversation its last turn of a role, and all turns where there is none of it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(turn, dict) for turn in value):
        turns = [turn for turn in value if turn.get("role") == last_role] or value
        content = turns[-1].get("content")
        if isinstance(content, list) and content and all(isinstance(part, dict) for part in content):
            content = "\n".join(str(part["text"]) for part in content if "text" in part)
        if isinstance(content, str):
            return content
    raise BadRow("the completion is not text" if last_role == "assistant" else "the prompt is not text")


def _files_under(folder: Path, deep: int) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise SourceError(f"{shown(str(folder))} cannot be read ({error.strerror or error}).", "Check the path.") from error
    for number, entry in enumerate(entries):
        if number >= _MOST_FILES:
            return
        if entry.is_file():
            yield entry
        elif deep and entry.is_dir() and not entry.is_symlink() and not entry.name.startswith(("checkpoint-", ".")):
            yield from _files_under(entry, deep - 1)
