"""What people may call a model: "demo", a folder, a name on the Hugging Face Hub, or the URL of an uploaded checkpoint."""

from pathlib import Path

from training.artefacts import is_url
from training.errors import ModelError, shown
from training.home import DEMO_MODEL
from training.paths import is_folder, parse_path


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
