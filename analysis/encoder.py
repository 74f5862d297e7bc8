"""Texts to unit vectors with a converted model: OpenVINO and tokenizers, no torch, so that the web process may use it.

A converted model is a folder. Making it is for `analysis.convert`; which model lies in which folder, for `analysis.embed`.
"""

import hashlib
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from training.errors import ModelError

if TYPE_CHECKING:
    from openvino import CompiledModel, InferRequest
    from tokenizers import Tokenizer

Precision = Literal["f32", "bf16"]
"""What a converted model calculates in: OpenVINO's names."""
FORMAT: Literal[1] = 1
"""Of the folder; raised whenever one written before can no longer be read."""
GRAPH = "model.xml"
WEIGHTS = "model.bin"
TOKENIZER = "tokenizer.json"
MANIFEST = "encoder.json"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""The inputs that a converted model may have."""
BATCH_SIZE = 8
"""On two cores 4, 8 and 16 are within a twentieth of each other and 32 is slower: little is padded, and caches hold it."""

_TOKENIZED_AT_ONCE = 1024
"""Bounds the memory: a tokenizer returns ten times as much as is kept of it."""


class ConversionError(ModelError):
    """A model cannot be converted, or gives other vectors once it is; torch can still run it."""


class Manifest(BaseModel):
    """What a folder says of itself."""

    format: Literal[1]
    model: str
    """The identity of the model it was made from."""
    pad_id: int
    versions: dict[str, str]
    """Of the libraries that made it, for people."""
    sha256: dict[str, str]
    """By file name."""


class TextEncoder:
    """A converted model, ready to run. Several threads may use one at the same time."""

    def __init__(self, tokenizer: "Tokenizer", model: "CompiledModel", pad_id: int) -> None:
        self._tokenizer = tokenizer
        self._model = model
        self._pad_id = pad_id
        self._inputs: set[str] = {port.any_name for port in model.inputs}
        self.width: int = model.output(0).partial_shape[1].get_length()
        """D."""

    @classmethod
    def load(cls, folder: Path, precision: Precision | None = None) -> "TextEncoder | None":
        """Open a folder, which takes about a second; `None` when it is not there or not whole: damaged counts as missing.

        Args:
            folder: as `analysis.convert` writes it.
            precision: bfloat16 where the processor has it, else float32, unless one is named. A processor without bfloat16
                calculates in float32 all the same.
        """
        manifest = _sound_manifest(folder)
        if manifest is None:
            return None
        openvino = import_openvino()
        from openvino.properties import hint
        from tokenizers import Tokenizer

        core = openvino.Core()
        # Where bfloat16 is native it is 1.7 times as fast; the lowest cosine between a vector and its float32 one is 0.99998.
        native: Precision = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        settings = {
            hint.performance_mode: hint.PerformanceMode.THROUGHPUT,
            hint.inference_precision: getattr(openvino.Type, precision or native),
        }
        model = core.compile_model(folder / GRAPH, "CPU", settings)
        return cls(Tokenizer.from_file(str(folder / TOKENIZER)), model, manifest.pad_id)

    def encode(self, texts: Sequence[str], report: Callable[[int], None] = lambda done: None) -> NDArray[np.float32]:
        """(N, D) float32, rows as the model gives them, in the order of the texts; `report` takes the number of texts done.

        Batches hold texts of similar length, so that little is spent on padding, longest first, so that a batch too large
        for the memory fails at once. `report` is called in this thread; if it raises, the rest is dropped.
        """
        tokens = self._tokenize(texts)
        order = sorted(range(len(texts)), key=lambda row: len(tokens[row]), reverse=True)
        batches = [order[start : start + BATCH_SIZE] for start in range(0, len(order), BATCH_SIZE)]
        embeddings = np.empty((len(texts), self.width), np.float32)
        workers = max(1, min(self._model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"), len(batches)))
        idle: SimpleQueue[InferRequest] = SimpleQueue()
        for _ in range(workers):
            idle.put(self._model.create_infer_request())

        def run(rows: list[int]) -> int:
            request = idle.get()
            try:
                embeddings[rows] = request.infer(self._padded([tokens[row] for row in rows]))[0]
            finally:
                idle.put(request)
            return len(rows)

        # Threads of our own: openvino's AsyncInferQueue hangs for ever if it is thrown away at the wrong moment.
        pool = ThreadPoolExecutor(workers)
        try:
            done = 0
            for count in pool.map(run, batches):
                done += count
                report(done)
        finally:
            pool.shutdown(cancel_futures=True)
        return embeddings

    def _tokenize(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """The token ids of each text, truncated to what the model reads."""
        tokens: list[NDArray[np.int32]] = []
        for start in range(0, len(texts), _TOKENIZED_AT_ONCE):
            encodings = self._tokenizer.encode_batch_fast(list(texts[start : start + _TOKENIZED_AT_ONCE]))
            tokens += [np.array(encoding.ids, np.int32) for encoding in encodings]
        return tokens

    def _padded(self, tokens: Sequence[NDArray[np.int32]]) -> dict[str, NDArray[np.int64]]:
        """The model's inputs for one batch, each (batch, longest text) int64."""
        shape = (len(tokens), max(1, *map(len, tokens)))
        ids = np.full(shape, self._pad_id, np.int64)
        mask = np.zeros(shape, np.int64)
        for row, text in enumerate(tokens):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        inputs = dict(zip(INPUTS, (ids, mask, np.zeros(shape, np.int64)), strict=True))
        return {name: values for name, values in inputs.items() if name in self._inputs}


def import_openvino() -> ModuleType:
    """The package `openvino`, kept from reporting its use over the network, which it does whenever it is imported.

    It does without where `openvino_telemetry` is not installed, and cannot tell that from this.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    module: ModuleType = openvino
    return module


def file_sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _sound_manifest(folder: Path) -> Manifest | None:
    """The folder's manifest, if every file is as it was written."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        found = {name: file_sha256(folder / name) for name in (GRAPH, WEIGHTS, TOKENIZER)}
    except (OSError, ValidationError):
        return None
    return manifest if manifest.sha256 == found else None
