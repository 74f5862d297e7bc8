"""GSM8K from the Hugging Face Hub: fetched once through `datasets` into a snapshot folder, read as a folder from then on.

The Hub is asked whether it answers before anything long starts, so that a machine without network waits seconds.
"""

import json
import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from training.errors import SourceError

GSM8K = "openai/gsm8k"
GSM8K_CONFIG = "main"
PROBE_TIMEOUT_S = 3.0


def answers(timeout_s: float = PROBE_TIMEOUT_S) -> bool:
    """Whether the Hub answers within `timeout_s`; always false under `HF_HUB_OFFLINE`."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return False
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        with urllib.request.urlopen(f"{endpoint}/api/datasets/{GSM8K}", timeout=timeout_s) as response:
            return bool(response.status == 200)
    except (OSError, ValueError):
        return False


def snapshot(cache: Path) -> Path | None:
    """The folder with the fetched GSM8K, if it was fetched before."""
    folder = _snapshot_folder(cache)
    return folder if folder.is_dir() else None


def fetch(cache: Path) -> Path:
    """Fetch GSM8K into its snapshot folder, or return the one that is there.

    Raises:
        SourceError: the Hub does not answer, or answers with something else.
    """
    present = snapshot(cache)
    if present is not None:
        return present
    if not answers():
        raise SourceError(
            f"The Hugging Face Hub did not answer within {PROBE_TIMEOUT_S:.0f} s.",
            "Check the network, or name a folder with train.jsonl and test.jsonl instead (GRPO_ATLAS_DATA).",
        )
    return save_splits(GSM8K, GSM8K_CONFIG, _snapshot_folder(cache))


def save_splits(dataset: str, config: str, folder: Path) -> Path:
    """Load a data set with `datasets` (a Hub name or a local folder) and write its splits as JSONL, all or nothing.

    Raises:
        SourceError: `datasets` cannot load it, it lacks train or test, or it cannot be written.
    """
    import datasets

    try:
        splits = datasets.load_dataset(dataset, config)
        columns = {name: splits[name].select_columns(["question", "answer"]) for name in ("train", "test")}
    except (OSError, ValueError, KeyError, datasets.exceptions.DatasetsError) as error:
        raise SourceError(
            f"The data set {dataset} ({config}) cannot be loaded: {error}", "Try again later, or name a folder instead."
        ) from error
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".partial-", ignore_cleanup_errors=True) as scratch:
            partial = Path(scratch) / folder.name
            partial.mkdir()
            for name, rows in columns.items():
                lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                (partial / f"{name}.jsonl").write_text(lines, encoding="utf-8")
            partial.rename(folder)
    except OSError as error:
        raise SourceError(
            f"The data set {dataset} cannot be kept in {folder.parent} ({error.strerror or error}).",
            "Free some space there, or name a folder that has it.",
        ) from error
    return folder


def _snapshot_folder(cache: Path) -> Path:
    return cache / "hub" / GSM8K.replace("/", "--")
