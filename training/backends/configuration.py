"""What configures a backend in `backends.toml`; the shipped `example.toml` explains it.

The file holds no secret: values that are secret are named, as `secrets` or as `${NAME}`, and taken from the environment of
the process that submits a run, at that moment.
"""

import os
import re
from collections.abc import Mapping
from typing import Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from training.credentials import REFERENCE, SECRET_WORDS, named_secret, with_secrets
from training.errors import BackendError

OWN_VARIABLES = "GRPO_ATLAS_"
"""How the variables begin that a backend sets itself."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie")


class RayConfig(BaseModel):
    """A Ray cluster; see `example.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ray"]
    title: str = ""
    """What people call it; its name where empty."""
    address: str
    """Of the head's dashboard, which takes jobs."""
    accelerator_type: str = ""
    """As Ray names it (A100, H100); empty takes any."""
    gpus: int = Field(1, ge=0)
    """For a run, over all its workers."""
    workers: int = Field(1, ge=1)
    """Processes that train together."""
    max_failures: int = Field(0, ge=0)
    """How often a run of several workers goes on from its checkpoint after losing one."""
    environment: Mapping[str, str] = {}
    """Variables for the job that are no secret: Ray shows them."""
    secrets: tuple[str, ...] = ()
    """Names of variables that the job gets from the environment of the process that submits it."""
    headers: Mapping[str, str] = {}
    """For a proxy before the head; secret values as `${NAME}`."""
    timeout_s: float = Field(5.0, gt=0, le=60)
    """For one answer of the head."""
    stop_grace_s: float = Field(120.0, ge=0)
    """From a request to stop until Ray ends the job by force."""
    store: str = ""
    """The run store as the jobs reach it; where empty, this installation's own."""
    home: str = "~/grpo-atlas"
    """The folder for runs on the cluster's machines."""
    artefacts: str = ""
    """An fsspec URL where checkpoints go."""
    pip: Literal["none", "pinned"] = "pinned"
    """Whether the job installs this project's requirements in the tested versions, or the cluster's image has them."""
    python: str = "python"
    """The interpreter on the cluster's machines."""

    @field_validator("address")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[^\s/@]+(/[^\s@]*)?", value):
            raise ValueError("must be the head's dashboard, such as http://head:8265, without a user or password")
        return value.rstrip("/")

    @field_validator("secrets")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _VARIABLE.fullmatch(name):
                raise ValueError("must hold names of environment variables, such as HF_TOKEN, never their values")
        return value

    @field_validator("environment")
    @classmethod
    def _is_plain(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for name in value:
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"{name!r} is no name of an environment variable")
            if name.startswith(OWN_VARIABLES):
                raise ValueError(f"{name} is set by the backend itself")
            if any(word in name.upper() for word in SECRET_WORDS):
                raise ValueError(f"{name} sounds like a secret: name it under secrets and set it where you launch")
        return value

    @field_validator("headers")
    @classmethod
    def _hides_headers(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for name, text in value.items():
            if name.lower() in _SECRET_HEADERS and not REFERENCE.search(text):
                raise ValueError(f"{name} is a secret: write it as ${{NAME}}, a variable of the environment")
        return value

    @field_validator("store")
    @classmethod
    def _hides_password(cls, value: str) -> str:
        try:
            password = sa.make_url(value).password if value else None
        except sa.exc.ArgumentError:
            raise ValueError("must be an SQLAlchemy URL, such as postgresql+psycopg://user:${NAME}@host/database") from None
        if password and not REFERENCE.fullmatch(password):
            raise ValueError("holds a password: write it as ${NAME}, a variable of the environment")
        return value

    @model_validator(mode="after")
    def _shares_gpus(self) -> "RayConfig":
        if self.gpus % self.workers:
            raise ValueError(f"gpus = {self.gpus} cannot be shared evenly by workers = {self.workers}")
        return self


def expand(text: str, backend: str, environ: Mapping[str, str] = os.environ, *, in_url: bool = False) -> str:
    """The text with each `${NAME}` replaced by that variable.

    Args:
        in_url: whether values are to be percent-encoded.

    Raises:
        BackendError: a variable is not set.
    """
    return with_secrets(text, f"The backend {backend!r}", BackendError, environ, in_url=in_url)


def variable(name: str, backend: str, environ: Mapping[str, str] = os.environ) -> str:
    """A variable that a backend needs.

    Raises:
        BackendError: it is not set, or empty, or not for other processes than the dashboard.
    """
    return named_secret(name, f"The backend {backend!r}", BackendError, environ)
