"""A sentence-transformers model to the folder that `analysis.encoder` opens. Imports torch, so only jobs import this module.

The whole of the model goes into the OpenVINO graph, pooling and normalisation included, so that opening it needs nothing of
the model's kind. What comes out is compared with torch before anyone may use it.
"""

import errno
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from analysis.encoder import (
    BATCH_SIZE,
    FORMAT,
    GRAPH,
    INPUTS,
    MANIFEST,
    TOKENIZER,
    WEIGHTS,
    ConversionError,
    Manifest,
    TextEncoder,
    file_sha256,
    import_openvino,
)
from training.errors import HomeError

if TYPE_CHECKING:
    import openvino

LOWEST_COSINE = 0.999
"""Between a probe's vectors before and after."""
PROBES = (
    "Yes.",
    "",
    "  Anna has 3 apples,\tand buys 4 MORE: how many apples does Anna have?\n",
    "Zoë paid €1,250.50 (½ of it in cash) — «combien»? 数学 😀",
    "A train travels 60 miles in 2 hours. What is its speed? " * 100,
    *(f"Problem {number}: what is {number} times {number}?" for number in range(BATCH_SIZE)),
)
"""Short and empty, padded beside long and truncated, case, white space and scripts, and more than one batch."""

_REMEDY = "Use all-MiniLM-L6-v2 for searching by meaning; an atlas can be built with this model, more slowly."


class _SentenceEmbedding(torch.nn.Module):
    """A model as one function from token ids to sentence embeddings, which is what can be traced."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        given = zip(INPUTS, (input_ids, attention_mask, token_type_ids), strict=True)
        embedding: torch.Tensor = self.model({name: tensor for name, tensor in given if tensor is not None})[
            "sentence_embedding"
        ]
        return embedding


def convert(model: SentenceTransformer, identity: str, folder: Path) -> TextEncoder:
    """Write a float32 model on the CPU to a folder, replacing what is there, and open it.

    The folder appears whole or not at all; processes that convert the same model at the same time do no harm.

    Raises:
        ConversionError: the model has parts that OpenVINO or `tokenizers` cannot express, or gives other vectors with them.
        HomeError: the folder cannot be written or the disk is full; what was there is intact.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", suffix=".partial", dir=folder.parent) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            _write(model, identity, made)
            encoder = TextEncoder.load(made)
            if encoder is None:
                raise OSError(errno.EIO, "what was written cannot be read back")
            _compare(model, encoder)
            _replace(folder, made, Path(scratch) / "replaced")
            return encoder
    except OSError as error:
        raise HomeError(
            f"The converted embedding model {folder} cannot be written ({error.strerror or error}).",
            "Free some space, or set GRPO_ATLAS_HOME to a folder that you may write to.",
        ) from error


def _write(model: SentenceTransformer, identity: str, folder: Path) -> None:
    try:
        with _quiet():
            graph, pad_id, tokenizer_json = _translate(model)
    except Exception as error:  # tracing runs the model's own code, which may raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConversionError(f"The embedding model cannot be converted for OpenVINO ({reason}).", _REMEDY) from error
    # As 16-bit floats the file would be half as large and the vectors no longer the model's own.
    import_openvino().save_model(graph, folder / GRAPH, compress_to_fp16=False)
    (folder / TOKENIZER).write_text(tokenizer_json, encoding="utf-8")
    manifest = Manifest(
        format=FORMAT,
        model=identity,
        pad_id=pad_id,
        versions={name: version(name) for name in ("openvino", "torch", "transformers", "sentence-transformers")},
        sha256={name: file_sha256(folder / name) for name in (GRAPH, WEIGHTS, TOKENIZER)},
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")


def _translate(model: SentenceTransformer) -> "tuple[openvino.Model, int, str]":
    """The graph, the padding token's id, and the tokenizer as JSON."""
    import_openvino()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    features = model.preprocess(["Two words.", "A few words more."])
    example = {name: features[name] for name in INPUTS if name in features}
    frontend = FrontEndManager().load_by_framework("pytorch")
    with torch.inference_mode():
        decoder = TorchScriptPythonDecoder(_SentenceEmbedding(model), example_input=example)
        graph = frontend.convert(frontend.load(decoder))
    # `preprocess` has just set the model's own truncation; padding is for `TextEncoder`.
    tokenizer = model.tokenizer.backend_tokenizer
    tokenizer.no_padding()
    return graph, model.tokenizer.pad_token_id, tokenizer.to_str()


def _compare(model: SentenceTransformer, encoder: TextEncoder) -> None:
    with torch.inference_mode():
        before = model(model.preprocess(list(PROBES)))["sentence_embedding"].numpy()
    cosines = _cosines(before, encoder.encode(PROBES))
    if not (cosines >= LOWEST_COSINE).all():  # also where one is not a number
        raise ConversionError(
            f"The embedding model gives other vectors once converted for OpenVINO (lowest cosine {cosines.min():.4f}).", _REMEDY
        )


def _cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) float32 between the rows of two (N, D) arrays."""
    cosines: NDArray[np.float32] = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    return cosines


def _replace(folder: Path, made: Path, old: Path) -> None:
    with suppress(FileNotFoundError):
        folder.rename(old)
    try:
        made.rename(folder)
    except OSError as error:
        # Between the two lines another process has put its own there, which is as good.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


@contextmanager
def _quiet() -> Iterator[None]:
    """Tracing warns of every size that it takes as fixed; `_compare` is what finds out whether one matters."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
