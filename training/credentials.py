"""Whether there are keys for the services that a run may speak to, and secrets that a file of settings names as `${NAME}`.

What they are goes nowhere else.
"""

import netrc
import os
import re
from collections.abc import Mapping
from urllib.parse import quote, urlparse

from training.errors import AtlasError, HubError
from training.home import DASHBOARD_TOKEN

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""How a file of settings names a secret, which is a variable of the environment."""

SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "API_KEY", "ACCESS_KEY", "CREDENTIALS")
"""In names of what is secret."""


def with_secrets(
    text: str, whose: str, error: type[AtlasError], environ: Mapping[str, str] = os.environ, *, in_url: bool = False
) -> str:
    """The text with each `${NAME}` replaced by that variable.

    Args:
        whose: what needs it, as an error begins: `The backend 'a100'`.
        error: what is raised.
        in_url: whether values are to be percent-encoded.

    Raises:
        AtlasError: as `named_secret`.
    """

    def value(found: re.Match[str]) -> str:
        taken = named_secret(found[1], whose, error, environ)
        return quote(taken, safe="") if in_url else taken

    return REFERENCE.sub(value, text)


def named_secret(name: str, whose: str, error: type[AtlasError], environ: Mapping[str, str] = os.environ) -> str:
    """A variable that something needs.

    Raises:
        AtlasError: of the kind given: it is not set, or empty, or not for other processes than the dashboard.
    """
    if name == DASHBOARD_TOKEN:
        raise error(
            f"{whose} names {name}, which lets people act on the dashboard's pages and goes nowhere else.",
            "Take it out of the configuration.",
        )
    if not environ.get(name):
        raise error(
            f"{whose} needs the environment variable {name}, which is not set here.",
            "Set it before starting the dashboard or the command, or take it out of the configuration.",
        )
    return environ[name]


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
