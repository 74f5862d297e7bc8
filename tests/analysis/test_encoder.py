"""Converted models: the same vectors as torch's, without torch, kept whole, and replaced when damaged."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from analysis import embed
from analysis.encoder import GRAPH, MANIFEST, TOKENIZER, WEIGHTS, ConversionError, Precision, TextEncoder
from tests.embedding_testing import DTYPES, calculate_in, make_tiny_model, same_direction
from training.errors import HomeError

TEXTS = [
    "Anna has 3 apples and buys 4 more. How many apples does Anna have?",
    "",
    "Yes.",
    "A train travels 60 miles in 2 hours. What is its speed?\n" * 50,
    "数学 😀 Zoë's <b>café</b>\t½",
    *(f"What is {number} times {number}?" for number in range(20)),
]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny-model"))


@pytest.fixture(scope="session")
def converted(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of encoders with the tiny model in it."""
    encoders = tmp_path_factory.mktemp("encoders")
    embed.text_encoder(str(tiny_model), encoders)
    return encoders


@pytest.fixture
def encoders(converted: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(converted, tmp_path / "encoders")


def ignore(done: int) -> None:
    pass


def encoder_in(encoders: Path, precision: Precision | None = None) -> TextEncoder:
    (folder,) = encoders.iterdir()
    encoder = TextEncoder.load(folder, precision)
    assert encoder is not None
    return encoder


def test_a_converted_model_gives_unit_rows(tiny_model: Path, converted: Path) -> None:
    rows = embed.embed(TEXTS, str(tiny_model), ignore, converted)
    assert rows.shape == (len(TEXTS), 16)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("precision", get_args(Precision))
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_converted_model_gives_the_vectors_of_torch(
    precision: Precision, dtype: str, tiny_model: Path, converted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calculate_in(dtype, monkeypatch)
    rows = encoder_in(converted, precision).encode(TEXTS)
    assert same_direction(rows, embed.embed(TEXTS, str(tiny_model), ignore))


def test_the_default_model_gives_the_vectors_of_torch_once_converted(tmp_path: Path) -> None:
    rows = embed.embed(TEXTS, embed.DEFAULT_MODEL, ignore, tmp_path)
    assert same_direction(rows, embed.embed(TEXTS, embed.DEFAULT_MODEL, ignore))


def test_progress_rises_to_the_number_of_texts(converted: Path) -> None:
    done: list[int] = []
    encoder_in(converted).encode(TEXTS, done.append)
    assert done == [8, 16, 24, 25]


def test_a_report_that_raises_ends_the_encoding(converted: Path) -> None:
    def stop(done: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        encoder_in(converted).encode(TEXTS * 10, stop)


def test_no_texts_give_no_rows(converted: Path) -> None:
    assert encoder_in(converted).encode([]).shape == (0, 16)


def test_threads_may_share_an_encoder(converted: Path) -> None:
    encoder = encoder_in(converted)
    alone = encoder.encode(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda turn: encoder.encode(TEXTS), range(8)))
    assert all(same_direction(rows, alone) for rows in together)


def test_a_model_is_converted_once(tiny_model: Path, encoders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "_load", lambda *arguments, **options: pytest.fail("the model was loaded again"))
    embed.embed(TEXTS, str(tiny_model), ignore, encoders)


@pytest.mark.parametrize("name", [GRAPH, WEIGHTS, TOKENIZER, MANIFEST])
@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_a_damaged_folder_counts_as_missing(name: str, damage: str, encoders: Path) -> None:
    (folder,) = encoders.iterdir()
    file = folder / name
    content = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(content[: len(content) // 2])
        case "changed":
            file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "missing":
            file.unlink()
    assert TextEncoder.load(folder) is None


def test_a_damaged_folder_is_converted_again(tiny_model: Path, encoders: Path) -> None:
    (folder,) = encoders.iterdir()
    (folder / WEIGHTS).write_bytes(b"")
    rows = embed.embed(TEXTS, str(tiny_model), ignore, encoders)
    assert rows.shape == (len(TEXTS), 16)
    assert list(encoders.iterdir()) == [folder]
    assert TextEncoder.load(folder) is not None


def test_other_weights_get_a_folder_of_their_own(tiny_model: Path, tmp_path: Path) -> None:
    other = make_tiny_model(tmp_path / "other", fill=0.5)
    assert embed.encoder_folder(str(other), tmp_path) != embed.encoder_folder(str(tiny_model), tmp_path)


def test_a_model_that_cannot_be_converted_runs_with_torch(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from analysis import convert

    def refuse(model: object) -> None:
        raise NotImplementedError("no such operation\nwith a long tail")

    monkeypatch.setattr(convert, "_translate", refuse)
    rows = embed.embed(TEXTS, str(tiny_model), ignore, tmp_path / "encoders")
    assert same_direction(rows, embed.embed(TEXTS, str(tiny_model), ignore))
    assert "(no such operation). torch runs it instead." in caplog.text
    assert list((tmp_path / "encoders").iterdir()) == []


def test_a_conversion_that_changes_the_vectors_is_refused(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = TextEncoder.encode
    monkeypatch.setattr(TextEncoder, "encode", lambda self, texts: real(self, texts)[::-1])
    with pytest.raises(ConversionError, match="other vectors"):
        embed.text_encoder(str(tiny_model), tmp_path / "encoders")
    assert list((tmp_path / "encoders").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error_with_a_remedy(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "encoders").write_text("a file in the way")
    with pytest.raises(HomeError, match="Free some space"):
        embed.text_encoder(str(tiny_model), tmp_path / "encoders")


def test_a_gpu_needs_no_converted_model(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "_has_gpu", lambda: True)
    embed.embed(TEXTS, str(tiny_model), ignore, tmp_path / "encoders")
    assert not (tmp_path / "encoders").exists()


def test_encoding_imports_nothing_heavy_and_reports_to_nobody(converted: Path, tmp_path: Path) -> None:
    (folder,) = converted.iterdir()
    script = f"""
import sys
from pathlib import Path
from typing import get_args
from analysis import embed, search
from analysis.encoder import TextEncoder
assert TextEncoder.load(Path({str(folder)!r})).encode(["one", "two"]).shape == (2, 16)
heavy = ("torch", "transformers", "sentence_transformers", "sklearn", "scipy", "umap", "numba", "datasets")
print(*(name for name in (*heavy, "openvino_telemetry") if sys.modules.get(name)))
"""
    environment = {**os.environ, "HOME": str(tmp_path), "CI": "false"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == []
    assert list(tmp_path.iterdir()) == []  # where it would keep the number it reports under
