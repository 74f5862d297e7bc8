"""A vLLM on a GPU of its own, which TRL hands its weights to: whether one answers."""

import urllib.error
import urllib.request

from training.errors import ConfigError

_TIMEOUT_S = 5.0


def check_vllm_server(address: str, model: str) -> None:
    """Ask the server how it is before TRL does, which would wait for minutes.

    Raises:
        ConfigError: none answers.
    """
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=_TIMEOUT_S):
            return
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ConfigError(
            f"No vLLM answers at {address} ({reason}).",
            f"Start it on another GPU with: trl vllm-serve --model {model}, or set vllm_server to its address.",
        ) from error
