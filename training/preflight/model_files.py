"""A model's files without torch or transformers: where they lie, what its config.json says, how it writes a conversation.

A model is the demo's, a folder, or a name on the Hugging Face Hub, whose small files are fetched into the Hub's own cache
when it answers within seconds. Weights are looked for, never read; what memory they take is `training.preflight.memory`'s.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from training.artefacts import is_url
from training.errors import ModelError, shown
from training.models.model_names import adapter_base, model_folder
from training.prompts import Prompting

PROBE_TIMEOUT_S = 3.0
"""What the Hub may take to answer for one small file."""

COUNTED_CHARACTERS = 400_000
"""Of the prompts together whose tokens are counted, as a system prompt stands in each of them: half a second's work."""

CHARACTERS_A_TOKEN = 3.0
"""Characters of a prompt in one token where there is no tokenizer to count with: cautious, as English prose has more."""

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


class UnreachableError(ModelError):
    """A model is not on this machine and the Hub does not answer; a later try may succeed."""


@dataclass(frozen=True)
class ModelFiles:
    """What is known of a model from its small files."""

    name: str
    folder: Path
    """Where its files lie: its own folder, or its snapshot in the Hub's cache."""
    config: Mapping[str, Any]
    """config.json."""
    chat_template: str | None
    has_weights: bool
    """Whether all its weights lie in `folder`; those of a Hub model are fetched when it is loaded."""

    @property
    def tokenizer_file(self) -> Path | None:
        """tokenizer.json, if it is there."""
        path = self.folder / "tokenizer.json"
        return path if path.is_file() else None


def find_model(name: str, *, ask_hub: bool = True) -> ModelFiles | None:
    """A model by Hub name, folder, or "demo"; `None` when only the Hub could tell and it is not to be asked.

    Raises:
        UnreachableError: it is not on this machine, and the Hub does not answer.
        ModelError: there is no such model, a file is missing, or the Hub refuses it.
    """
    folder = model_folder(name)
    if is_url(name):
        raise ModelError(f"A run cannot begin with {shown(name)}.", "Name it by its run, as run:demo-1@40.")
    return _hub_model(name, ask_hub) if folder is None else _folder_model(name, folder)


def prompt_lengths(files: ModelFiles, questions: Sequence[str], prompting: Prompting) -> tuple[list[int], bool]:
    """(tokens of each question as the model is asked it, whether they were counted).

    Without a tokenizer.json, with a chat template that needs more than jinja2, or with a system prompt of a book, they are
    estimated from the characters.
    """
    is_short = len(prompting.system_prompt) <= COUNTED_CHARACTERS
    rendered = _rendered(files, questions, prompting) if is_short else None
    if rendered is None or files.tokenizer_file is None:
        return [round(len(question + prompting.system_prompt) / CHARACTERS_A_TOKEN) for question in questions], False
    tokenizer = _tokenizer(files.tokenizer_file, files.tokenizer_file.stat().st_mtime_ns)
    return [len(encoding.ids) for encoding in tokenizer.encode_batch(rendered, add_special_tokens=False)], True


def _tensors(file: Path) -> tuple[list[dict[str, Any]], int]:
    """(what a safetensors file's header says of each tensor, where their bytes begin)."""
    with file.open("rb") as content:
        length = int.from_bytes(content.read(8), "little")
        header = json.loads(content.read(length)) if length <= file.stat().st_size else None
    if not isinstance(header, dict):
        raise ValueError("it does not begin with a header")
    return [tensor for name, tensor in header.items() if name != "__metadata__"], 8 + length


def _check_whole(file: Path) -> None:
    """Raise `ModelError` if a safetensors file is not one, or ends before its last tensor does."""
    try:
        tensors, begin = _tensors(file)
        expected = begin + max((tensor["data_offsets"][1] for tensor in tensors), default=0)
        reason = "" if file.stat().st_size >= expected else f"{file.stat().st_size:,} of {expected:,} bytes are there"
    except (ValueError, KeyError, TypeError, IndexError) as error:
        reason = str(error)
    if reason:
        raise ModelError(f"The weights in {file} are damaged ({reason}).", "Save, copy or fetch the model again.")


def _folder_model(name: str, folder: Path) -> ModelFiles:
    base = adapter_base(folder)
    if base is not None:
        return _adapter_model(name, folder, base)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} has no config.json, so it holds no model.", "Name a folder that a model was saved into.")
    if not any((folder / tokenizer).is_file() for tokenizer in _TOKENIZERS):
        raise ModelError(f"{folder} has no tokenizer.", "Save the model's tokenizer into it, as `save_pretrained` does.")
    if not _has_weights(folder):
        raise ModelError(f"{folder} has no weights, or not all of them.", "Put model.safetensors, or every part of it, there.")
    for file in folder.glob("*.safetensors"):
        _check_whole(file)
    return _read_model(name, folder)


def _adapter_model(name: str, folder: Path, base: str) -> ModelFiles:
    """The base's files under the adapter's name, with the chat template that was saved beside the adapter."""
    for file in folder.glob("*.safetensors"):
        _check_whole(file)
    found = find_model(base)
    assert found is not None  # the Hub may be asked
    settings = folder / "tokenizer_config.json"
    own = _chat_template(folder, _read_json(settings) if settings.is_file() else {})
    return replace(found, name=name, chat_template=own or found.chat_template)


def _hub_model(name: str, ask_hub: bool) -> ModelFiles | None:
    from huggingface_hub import is_offline_mode, try_to_load_from_cache

    cached = try_to_load_from_cache(name, "config.json")
    folder = Path(cached).parent if isinstance(cached, str) else None
    if folder is not None and _has_weights(folder):
        return _read_model(name, folder)
    if is_offline_mode():
        raise ModelError(
            f"The model {name!r} is not in the Hub's cache on this machine, and HF_HUB_OFFLINE forbids fetching it.",
            'Unset HF_HUB_OFFLINE, name a local folder, or use "demo".',
        )
    if not ask_hub:
        return _read_model(name, folder) if folder else None
    return _read_model(name, _fetch_small_files(name))


def _fetch_small_files(name: str) -> Path:
    """The snapshot folder in the Hub's cache, with config, chat template and tokenizer settings in it."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    _probe(name)
    folder: Path | None = None
    for file in ("config.json", "tokenizer_config.json", "chat_template.jinja"):
        try:
            folder = Path(hf_hub_download(name, file, etag_timeout=PROBE_TIMEOUT_S)).parent
        except LocalEntryNotFoundError as error:
            raise _unreachable(name) from error
        except EntryNotFoundError:
            continue
        except OSError as error:
            raise _unreachable(name) from error
    if folder is None or not (folder / "config.json").is_file():
        raise ModelError(f"{name!r} on the Hub has no config.json.", "Choose a repository that transformers can load.")
    return folder


def _probe(name: str) -> None:
    """Ask the Hub for the model once; `hf_hub_download` alone would try for half a minute where there is no network.

    Raises:
        UnreachableError: no answer.
        ModelError: the Hub refuses or does not know the model.
    """
    import httpx
    from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError

    try:
        get_hf_file_metadata(hf_hub_url(name, "config.json"), timeout=PROBE_TIMEOUT_S)
    except GatedRepoError as error:
        who, how = ("the token in use", "") if get_token() else ("this machine", " and set HF_TOKEN")
        raise ModelError(
            f"The model {name!r} is gated, and {who} has no access.",
            f"Ask for access on its page on the Hub{how}, or use an open model.",
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"The Hub knows no model {name!r}, or hides it.", "Check the name; for a private one set HF_TOKEN."
        ) from error
    except EntryNotFoundError:
        return
    except (httpx.HTTPError, OSError) as error:
        raise _unreachable(name) from error


def _unreachable(name: str) -> UnreachableError:
    return UnreachableError(
        f"The model {name!r} is not on this machine, and the Hub did not answer within {PROBE_TIMEOUT_S:.0f} s.",
        'Check the network, name a local folder, or use "demo".',
    )


def _has_weights(folder: Path) -> bool:
    for name in _WEIGHTS:
        if (folder / name).is_file():
            return True
        index = folder / f"{name}.index.json"
        if index.is_file():
            parts = set(_read_json(index).get("weight_map", {}).values())
            return bool(parts) and all((folder / part).is_file() for part in parts)
    return False


def _read_model(name: str, folder: Path) -> ModelFiles:
    settings = folder / "tokenizer_config.json"
    return ModelFiles(
        name=name,
        folder=folder,
        config=_read_json(folder / "config.json"),
        chat_template=_chat_template(folder, _read_json(settings) if settings.is_file() else {}),
        has_weights=_has_weights(folder),
    )


def _chat_template(folder: Path, settings: Mapping[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    found = settings.get("chat_template")
    if isinstance(found, list):  # named templates, of which transformers takes "default"
        found = {entry["name"]: entry["template"] for entry in found}.get("default")
    return found


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(values, dict):
            return values
        reason = "it is not an object"
    except (OSError, ValueError) as error:
        reason = str(error)
    raise ModelError(f"{path} cannot be read ({reason}).", "Save or fetch the model again.")


def _refuse(message: str) -> None:
    """What templates call for turns that they do not take."""
    import jinja2

    raise jinja2.TemplateError(message)


def _rendered(files: ModelFiles, questions: Sequence[str], prompting: Prompting) -> list[str] | None:
    """The prompts as transformers writes them; `None` where that needs more than the template.

    The environment is that of transformers 5.17 (`utils/chat_template_utils.py`).
    """
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda _format: "01 Jan 2026"  # any day: only its length counts
    tokens = _special_tokens(files)
    try:
        template = environment.from_string(files.chat_template or "")
        return [
            template.render(messages=prompting.messages(question), add_generation_prompt=True, **tokens)
            for question in questions
        ]
    except (jinja2.TemplateError, TypeError, ValueError):
        return None


def text_lengths(files: ModelFiles, texts: Sequence[str]) -> list[int] | None:
    """Tokens of each text; `None` without a tokenizer.json."""
    if files.tokenizer_file is None:
        return None
    tokenizer = _tokenizer(files.tokenizer_file, files.tokenizer_file.stat().st_mtime_ns)
    return [len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def refuses_system_turn(files: ModelFiles) -> bool:
    """Whether the chat template takes a question alone and ends with an error where a system turn stands before it."""
    alone, with_system = (_rendered(files, ["How many?"], Prompting(prompt)) for prompt in ("", "Answer."))
    return alone is not None and with_system is None


def _special_tokens(files: ModelFiles) -> dict[str, str]:
    """The tokens that a template may name: those with a text in tokenizer_config.json."""
    settings = files.folder / "tokenizer_config.json"
    values = _read_json(settings) if settings.is_file() else {}
    texts = {name: token.get("content") if isinstance(token, dict) else token for name, token in values.items()}
    return {name: text for name, text in texts.items() if name.endswith("_token") and isinstance(text, str)}


@lru_cache(maxsize=2)
def _tokenizer(path: Path, changed_ns: int) -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))
