"""What people may call a model: "demo", a folder, a name on the Hugging Face Hub, or the URL of an uploaded checkpoint."""

import json
from pathlib import Path

from training.artefacts import is_url
from training.errors import ModelError, shown
from training.home import DEMO_MODEL
from training.paths import is_folder, parse_path

ADAPTER_FILE = "adapter_config.json"
"""What a folder of PEFT's holds instead of a whole model."""


def model_folder(name: str) -> Path | None:
    """The folder of a model on this disk; `None` of one that lies elsewhere. Nothing is asked of anybody.

    Raises:
        ModelError: there is no such folder, and the Hub could have no such name.
    """
    path = DEMO_MODEL if name == "demo" else parse_path(name, ModelError)
    if is_folder(path):
        return path
    if is_url(name):
        return None
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # it is listed there, without `as`

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise ModelError(
            f"There is no folder {shown(name)}.", 'Use "demo", the path of a model, or a name on the Hugging Face Hub.'
        ) from error
    return None


def adapter_base(folder: Path) -> str | None:
    """The model that an adapter folder belongs to; `None` for a folder with a whole model.

    Raises:
        ModelError: its settings cannot be read, or name no base.
    """
    file = folder / ADAPTER_FILE
    if not is_folder(folder) or not file.is_file():
        return None
    try:
        base = json.loads(file.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{file} cannot be read ({error}).", "Save the adapter again.") from error
    if not base or not isinstance(base, str):
        raise ModelError(
            f"The adapter {str(folder)!r} does not name its base model.", "Add base_model_name_or_path to its config."
        )
    if Path(base).name == DEMO_MODEL.name and not Path(base).is_dir():
        return "demo"  # as the machine knew it that trained the adapter
    return base
