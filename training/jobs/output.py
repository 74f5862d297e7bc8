"""What can be made of a run's checkpoint: a merged model in a folder, a repository on the Hub, a GGUF file.

Each is a job with its settings in the store, done by a process of its own. Only `_merged` and `_export` load a model, and
import torch when they do. The Hub's token comes from HF_TOKEN and goes nowhere else.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from training.backends import local
from training.credentials import hub_token
from training.engines import engine_named, install_command, missing_packages
from training.errors import CheckpointError, ConfigError, HubError, ModelError, shown
from training.home import Home
from training.jobs.job_process import JobProcess
from training.jobs.kinds import JobType
from training.jobs.model_card import model_card
from training.models.beginnings import kept_model
from training.models.checkpoints import checkpoint_to_resume, model_on_this_disk
from training.paths import parse_path
from training.store import TRAINED_KINDS, Store
from training.store.evaluations import complete_evaluations
from training.stored_config import stored_config
from training.text import count

Action = Literal["merge", "push", "export"]

QUANTIZATIONS = ("q4_k_m", "q5_k_m", "q8_0", "f16", "bf16")
"""GGUF formats that are offered; Unsloth knows more."""

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_CONNECT_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 60.0
"""How long the Hub may be silent while it takes a file."""


class OutputSpec(BaseModel):
    """Everything that decides what is made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    action: Action
    step: int = Field(ge=1)
    """The checkpoint's."""
    out: str = ""
    """The folder to write to; empty for one in the run's own."""
    repository: str = ""
    """owner/name on the Hub, for a push."""
    public: bool = False
    quantization: str = ""
    """One of `QUANTIZATIONS`, for an export."""


def output_spec(store: Store, home: Home, run_id: str, action: Action, step: int | None = None, **settings: Any) -> OutputSpec:
    """What is to be made of a run's checkpoint, the latest unless a step is given, checked as far as it can be.

    Raises:
        StoreError: there is no such run.
        ConfigError: it is no training run, a repository's name is not one, or the folder to write to is none.
        CheckpointError: there is no such checkpoint, or it is not complete.
        ArtefactError: it was uploaded, and the place cannot be asked for it.
        HubError: a push has no token.
        ModelError: an export has no Unsloth.
    """
    run = store.job(run_id)
    if run.kind not in TRAINED_KINDS:
        raise ConfigError(f"{run_id} is not a training run.", "`python -m training list` shows the runs.")
    checkpoint = checkpoint_to_resume(store, run_id, step, home.job_folder(run_id))
    if checkpoint is None:
        raise CheckpointError(f"{run_id} has no checkpoint.", "Let it reach its first, or stop it, which saves one.")
    spec = OutputSpec(run=run_id, action=action, step=checkpoint.step, **settings)
    output_folder(home, spec)
    if action == "push":
        if not _REPOSITORY.fullmatch(spec.repository):
            raise ConfigError(f"{spec.repository!r} is no repository's name.", "Give owner/name, as on huggingface.co.")
        hub_token()
    if action == "export":
        _check_export(spec)
    return spec


def produce(process: JobProcess, home: Home, spec: OutputSpec) -> None:
    """Make it, as the job, in this process; what came of it is the job's reason.

    Raises:
        CheckpointError, ArtefactError: the checkpoint cannot be had.
        ModelError: the model cannot be loaded, merged or converted.
        HubError: the Hub does not answer, or refuses.
    """
    process.begin()
    process.reason = _ACTIONS[spec.action](process.store, home, spec, process)


def output_folder(home: Home, spec: OutputSpec) -> Path:
    """Where the merged model of a spec is written to."""
    return _named(spec.out) if spec.out else merged_folder(home, spec.run, spec.step)


def _named(out: str) -> Path:
    """A folder that somebody named for what is made.

    Raises:
        ConfigError: it is no path, or the root of all.
    """
    folder = parse_path(out, ConfigError)
    if not folder.name:
        raise ConfigError(f"{shown(out)} is no folder to write a model to.", "Name one that is not there yet.")
    return folder


def merged_folder(home: Home, run_id: str, step: int) -> Path:
    """Where a run's merged models lie unless another folder was named."""
    return home.job_folder(run_id) / f"merged-{step}"


def _merge(store: Store, home: Home, spec: OutputSpec, process: JobProcess) -> str:
    return f"the model of step {spec.step:,} is in {_merged(store, home, spec, process)}"


def _push(store: Store, home: Home, spec: OutputSpec, process: JobProcess) -> str:
    token = hub_token()
    folder = _merged(store, home, spec, process)
    process.progress(0, 0, f"pushing to {spec.repository}")
    return f"the model of step {spec.step:,} is at {push_folder(folder, spec.repository, token, public=spec.public)}"


def _export(store: Store, home: Home, spec: OutputSpec, process: JobProcess) -> str:
    with local.accelerator(home, store, process.job, process.check_stop):
        engine_named("unsloth")  # before transformers, parts of which it replaces
        from unsloth import FastLanguageModel

        folder = _merged(store, home, spec.model_copy(update={"out": ""}), process)
        out = _named(spec.out) if spec.out else folder.with_name(f"gguf-{spec.step}")
        process.progress(0, 0, f"converting to GGUF, {spec.quantization}")
        work = folder.with_name(f".gguf-{spec.step}")
        try:
            model, tokenizer = FastLanguageModel.from_pretrained(model_name=str(folder), load_in_4bit=False)
            model.save_pretrained_gguf(
                str(work / "model"),
                tokenizer,
                quantization_method=spec.quantization,
                temporary_location=str(work / "buffers"),
            )
            files = sorted(work.rglob("*.gguf"))
            out.mkdir(parents=True, exist_ok=True)
            for file in files:
                shutil.move(file, out / f"{spec.run}-step-{spec.step}-{file.name}")
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"Unsloth could not convert {folder} to GGUF ({_first_line(error)}).",
                "It builds llama.cpp the first time: cmake, a compiler and the network are needed.",
            ) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
    if not files:
        raise ModelError(f"Unsloth wrote no GGUF file of {folder}.", "Its log says why.")
    return f"{count(len(files), 'GGUF file')} of step {spec.step:,} in {out}"


_ACTIONS: dict[Action, Callable[[Store, Home, OutputSpec, JobProcess], str]] = {
    "merge": _merge,
    "push": _push,
    "export": _export,
}


def _merged(store: Store, home: Home, spec: OutputSpec, process: JobProcess) -> Path:
    """The checkpoint as a whole model with its card, in a folder that is complete or as it was before."""
    run = store.job(spec.run)
    config = stored_config(run.spec)
    checkpoint = checkpoint_to_resume(store, run.id, spec.step, home.job_folder(run.id))
    if checkpoint is None:
        raise CheckpointError(f"{run.id} has no checkpoint of step {spec.step:,}.", "Choose another with --checkpoint.")
    out = output_folder(home, spec)
    if spec.out and out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty.", "Name a folder that is not there yet.")
    process.progress(0, 0, f"merging the checkpoint of step {spec.step:,}")
    base = kept_model(config.model, store, home, run.id)
    card = model_card(run, config, spec.step, complete_evaluations(store, run.id))
    partial = out.with_name(f".partial {out.name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        from training.engines import hugging_face

        hugging_face.save_whole(model_on_this_disk(checkpoint.path, home), base, partial)
        (partial / "README.md").write_text(card, encoding="utf-8")
        if not spec.out:  # the run's own, made before; any other is empty, or the renaming fails
            shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    except OSError as error:
        raise ModelError(
            f"The model cannot be saved to {out} ({error.strerror or error}).", "Make room there, or name another folder."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return out


def push_folder(folder: Path, repository: str, token: str, *, public: bool) -> str:
    """Send a folder to the Hub, one commit, into a repository that is made if it is not there; return its address.

    Raises:
        HubError: the Hub does not answer within seconds, or refuses; its text never holds the token.
    """
    import httpx
    from huggingface_hub import HfApi, get_session
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    get_session().timeout = httpx.Timeout(_ANSWER_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S)  # by itself it waits for ever
    api = HfApi(token=token)
    try:
        api.whoami()
        address = str(api.create_repo(repository, private=not public, exist_ok=True))
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message=f"Add {folder.name} of {folder.parent.name}")
    except OfflineModeIsEnabled as error:
        raise HubError(f"{repository} cannot be pushed to: HF_HUB_OFFLINE forbids it.", "Unset HF_HUB_OFFLINE.") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no status"
        remedy = {
            401: "Set HF_TOKEN to a token of https://huggingface.co/settings/tokens.",
            403: "Give the token write access to that repository, or name another.",
        }.get(status if isinstance(status, int) else 0, "Try again later.")
        raise HubError(f"The Hub refuses {repository} ({status}: {_told(error, token)}).", remedy) from None
    except (httpx.HTTPError, OSError, ValueError, RuntimeError) as error:
        raise HubError(
            f"{repository} could not be pushed to {api.endpoint} ({_told(error, token)}).",
            "Check the network, then push again: what has arrived is not sent twice.",
        ) from None
    return address


def _check_export(spec: OutputSpec) -> None:
    if spec.quantization not in QUANTIZATIONS:
        raise ConfigError(f"There is no GGUF format {spec.quantization!r}.", f"Use one of {', '.join(QUANTIZATIONS)}.")
    if missing := missing_packages("unsloth"):
        raise ModelError(
            f"A GGUF file is made by Unsloth, and {', '.join(missing)} is not installed.",
            f"Install it with {install_command('unsloth')} in the project's folder.",
        )


def _told(error: Exception, token: str) -> str:
    return _first_line(error).replace(token, "HF_TOKEN")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


OUTPUT = JobType("output", OutputSpec.model_validate, produce, scores=True)
