"""A vLLM on a GPU of its own, which TRL hands its weights to: whether one answers, and whether it was started for that."""

import urllib.error
import urllib.request

from training.errors import ConfigError

_TIMEOUT_S = 5.0


def check_vllm_server(address: str, model: str) -> None:
    """Ask the server how it is before TRL does, which would wait for minutes.

    Raises:
        ConfigError: none answers, or it takes no weights.
    """
    start = f"trl vllm-serve --model {model}"
    try:
        _ask(f"{address}/health")
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ConfigError(
            f"No vLLM answers at {address} ({reason}).",
            f"Start it on another GPU with: {start}, or set vllm_server to its address.",
        ) from error
    try:
        _ask(f"{address}/get_world_size")  # there in vLLM's development mode, as what hands over weights is
    except urllib.error.HTTPError as error:
        raise ConfigError(
            f"The vLLM at {address} generates, and takes no weights of a run.", f"Start it as training needs it: {start}."
        ) from error


def _ask(url: str) -> None:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S):
        return
