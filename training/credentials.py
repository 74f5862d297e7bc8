"""Whether there are keys for the services that a run may speak to. What they are goes nowhere else."""

import netrc
import os
from urllib.parse import urlparse

from training.errors import HubError


def has_wandb_key() -> bool:
    """Whether there is a key in WANDB_API_KEY or, after `wandb login`, in the netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def has_hub_token() -> bool:
    """Whether there is a token for the Hugging Face Hub, which a push needs."""
    return bool(os.environ.get("HF_TOKEN", "").strip())


def hub_token() -> str:
    """The token for the Hub.

    Raises:
        HubError: there is none.
    """
    if not has_hub_token():
        raise HubError(
            "There is no token for the Hub.",
            "Set HF_TOKEN to one with write access (https://huggingface.co/settings/tokens) where this program is started.",
        )
    return os.environ["HF_TOKEN"].strip()
