"""Data sets of the Hugging Face Hub: fetched once through `datasets` into a snapshot folder, read as a folder from then on.

The Hub is asked whether it answers before anything long starts, so that a machine without network waits seconds. Gated data
sets are fetched with the token in `HF_TOKEN`, which `datasets` reads itself.
"""

import os
import re
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from training.errors import SourceError

PROBE_TIMEOUT_S = 3.0

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}|[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True)
class HubData:
    """A data set of the Hub."""

    name: str
    config: str = ""
    """One of its configurations, empty for its only one or the one that it calls default."""
    revision: str = ""
    """Commit, branch or tag, empty for the newest."""

    def __post_init__(self) -> None:
        """
        Raises:
            SourceError: it cannot be called so.
        """
        if not _NAME.fullmatch(self.name) or ".." in self.name:
            raise SourceError(f"{self.name[:200]!r} is no data set of the Hub.", "Name it as the Hub does: hub:owner/name.")
        if not all(
            re.fullmatch(r"[\w./ -]{0,100}", part, re.ASCII) and ".." not in part for part in (self.config, self.revision)
        ):
            raise SourceError(f"{self.name} has no such configuration or revision.", "Use the names on its page.")

    def __str__(self) -> str:
        config, revision = self.config and f" ({self.config})", self.revision and f" at {self.revision}"
        return f"{self.name}{config}{revision}"

    def folder(self, cache: Path) -> Path:
        """Where its snapshot lies."""
        parts = [self.name, self.config if self != GSM8K else "", self.revision]
        return cache / "hub" / "--".join(re.sub(r"[/ ]", "--", part) for part in parts if part)


GSM8K = HubData("openai/gsm8k", "main")
"""What the source "hub" stands for."""


def answers(timeout_s: float = PROBE_TIMEOUT_S) -> bool:
    """Whether the Hub answers within `timeout_s`; always false under `HF_HUB_OFFLINE`."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return False
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        with urllib.request.urlopen(f"{endpoint}/api/datasets/{GSM8K.name}", timeout=timeout_s) as response:
            return bool(response.status == 200)
    except (OSError, ValueError):
        return False


def snapshot(data: HubData, cache: Path) -> Path | None:
    """The folder with the fetched data set, if it was fetched before."""
    folder = data.folder(cache)
    return folder if folder.is_dir() else None


def fetch(data: HubData, cache: Path) -> Path:
    """Fetch a data set into its snapshot folder, or return the one that is there.

    Raises:
        SourceError: the Hub does not answer, or answers with something else.
    """
    present = snapshot(data, cache)
    if present is not None:
        return present
    if not answers():
        raise SourceError(
            f"The Hugging Face Hub did not answer within {PROBE_TIMEOUT_S:.0f} s.",
            "Check the network, or name a folder with train.jsonl and test.jsonl instead (GRPO_ATLAS_DATA).",
        )
    return save_splits(data, data.folder(cache))


def save_splits(data: HubData, folder: Path, path: str | None = None) -> Path:
    """Load a data set with `datasets` and write each of its splits as a Parquet file, all or nothing.

    Args:
        data: what to load.
        folder: where to.
        path: a local folder in the Hub's form to load instead.

    Raises:
        SourceError: `datasets` cannot load it, or it cannot be written.
    """
    import datasets

    try:
        splits = datasets.load_dataset(path or data.name, data.config or None, revision=data.revision or None)
    except (OSError, ValueError, KeyError, datasets.exceptions.DatasetsError) as error:
        raise SourceError(
            f"The data set {data} cannot be loaded: {error}",
            "Check its name, configuration and revision (hub:owner/name?config=...&revision=...). One that asks for an "
            "agreement needs HF_TOKEN. Otherwise try again later, or name a folder instead.",
        ) from error
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".partial-", ignore_cleanup_errors=True) as scratch:
            partial = Path(scratch) / folder.name
            partial.mkdir()
            for name, rows in splits.items():
                rows.to_parquet(partial / f"{name}.parquet")
            partial.rename(folder)
    except OSError as error:
        raise SourceError(
            f"The data set {data} cannot be kept in {folder.parent} ({error.strerror or error}).",
            "Free some space there, or name a folder that has it.",
        ) from error
    return folder
