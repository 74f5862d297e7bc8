"""The projector's files, read back by TensorBoard's own plugin, keep every rule of the format."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from werkzeug.test import Client
from werkzeug.wrappers import Response

from analysis import projector
from analysis.atlas import Atlas, AtlasParameters
from analysis.clusters import Clusters
from analysis.embed import unit_rows
from analysis.neighbors import nearest_neighbors
from analysis.projector import ExportError, export_projector, projector_files, projector_zip, standalone_link
from training.data.problem import ProblemSet
from training.data.reader import parse_problem

QUESTIONS = [
    "Plain?",
    "Tab\there,\nline there,\r\nand\u2028here?",
    "“Curly” – £5, 3¾ crêpes, 20\u200b%, ž, А, 日?",
    '"Quoted" \\ back?',
]
COLUMNS = ["id", "split", "steps", "equations", "cluster", "length", "gold", "operations", "question"]


@pytest.fixture
def atlas() -> Atlas:
    rows = [{"question": question, "answer": f"<<1+{index}=2>>\n#### {index}"} for index, question in enumerate(QUESTIONS)]
    problems = tuple(parse_problem(row, f"train-{index}", "train") for index, row in enumerate(rows))
    embeddings = unit_rows(np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32))
    layout = np.array([[0, 0], [1.25, -2], [1 / 3, 1e-7], [12, 8]], np.float32)
    problem_set = ProblemSet('Few: "odd" ones', "few", problems)
    clusters = Clusters(np.array([0, -1, 0, 0], np.int16), ("counting, tests",), (0,), "the map", {"the map": 0.1})
    neighbors = nearest_neighbors(embeddings, 15)
    return Atlas(problem_set, AtlasParameters(), embeddings, neighbors, embeddings[:, :3], layout=layout, clusters=clusters)


class TensorBoard:
    """TensorBoard's projector plugin over a folder, asked as its page asks it."""

    def __init__(self, folder: Path) -> None:
        provider = MultiplexerDataProvider(EventMultiplexer(), str(folder))
        self._apps = ProjectorPlugin(base_plugin.TBContext(logdir=str(folder), data_provider=provider)).get_plugin_apps()

    def get(self, route: str, **query: str) -> bytes:
        response = Client(self._apps[route], Response).get(route, query_string=query)
        assert response.status_code == 200, response.get_data(as_text=True)
        return response.get_data()


def test_tensorboard_reads_every_file_back(atlas: Atlas, tmp_path: Path) -> None:
    export_projector(atlas, tmp_path / "out")
    board = TensorBoard(tmp_path / "out")
    assert json.loads(board.get("/runs")) == ["."]
    (embedding,) = json.loads(board.get("/info", run="."))["embeddings"]
    assert embedding["tensorShape"] == [4, 6]
    name = embedding["tensorName"]
    assert name == 'Few "odd" ones'

    tensor = np.frombuffer(board.get("/tensor", run=".", name=name), np.float32).reshape(4, 6)
    assert np.allclose(tensor, atlas.embeddings, rtol=1e-5)

    lines = board.get("/metadata", run=".", name=name).decode().split("\n")
    assert lines[0].split("\t") == COLUMNS
    assert lines[2].split("\t") == [
        "train-1",
        "train",
        "1",
        "1",
        "unclustered",
        "6",
        "1",
        "+",
        "Tab here, line there, and here?",
    ]
    assert lines[1].split("\t")[4] == "counting, tests"
    assert lines[3].split("\t")[-1] == QUESTIONS[2]
    assert lines[5:] == [""]

    (bookmark,) = json.loads(board.get("/bookmarks", run=".", name=name))
    assert bookmark["dataSetDimensions"] == [4, 6]
    assert (bookmark["selectedProjection"], bookmark["umapIs3d"], bookmark["umapNeighbors"]) == ("umap", False, 15)
    placed = np.array([[point["umap-0"], point["umap-1"]] for point in bookmark["projections"]])
    assert np.allclose(placed, atlas.layout, rtol=1e-5)


def test_the_files_keep_the_rules_of_the_format(atlas: Atlas) -> None:
    files = projector_files(atlas)
    for content in files.values():
        assert content.endswith(b"\n")
        assert b"\r" not in content
    assert [len(line.split(b"\t")) for line in files["vectors.tsv"].splitlines()] == [6] * 4
    assert [len(line.split(b"\t")) for line in files["metadata.tsv"].splitlines()] == [len(COLUMNS)] * 5
    config = json.loads(files["projector_config.json"])
    assert config["modelCheckpointPath"] == ""
    assert config["embeddings"] == [
        {
            "tensorName": 'Few "odd" ones',
            "tensorShape": [4, 6],
            "tensorPath": "vectors.tsv",
            "metadataPath": "metadata.tsv",
            "bookmarksPath": "bookmarks.json",
        }
    ]
    assert all(config["embeddings"][0][key] in files for key in ("tensorPath", "metadataPath", "bookmarksPath"))


def test_the_archive_holds_the_same_files_and_never_changes(atlas: Atlas) -> None:
    archive = projector_zip(atlas)
    assert archive == projector_zip(atlas)
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert {name: files.read(name) for name in files.namelist()} == projector_files(atlas)


def test_an_export_replaces_the_one_before_and_leaves_nothing_else(atlas: Atlas, tmp_path: Path) -> None:
    export_projector(atlas, tmp_path)
    written = export_projector(atlas, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(written)


def test_a_folder_that_cannot_be_written_is_an_error_with_a_remedy(atlas: Atlas, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="Name a folder"):
        export_projector(atlas, tmp_path / "file")


def test_a_part_of_the_map_can_be_exported(atlas: Atlas) -> None:
    whole, part = projector_files(atlas), projector_files(atlas, [1, 3])
    for file, header in (("vectors.tsv", 0), ("metadata.tsv", 1)):
        lines = whole[file].splitlines()
        assert part[file].splitlines() == [*lines[:header], lines[header + 1], lines[header + 3]]
    (bookmark,) = json.loads(part["bookmarks.json"])
    assert bookmark["dataSetDimensions"] == [2, 6]
    assert [point["umap-0"] for point in bookmark["projections"]] == [1.25, 12]


def test_before_there_is_a_layout_principal_components_travel(atlas: Atlas) -> None:
    (bookmark,) = json.loads(projector_files(replace(atlas, layout=None))["bookmarks.json"])
    assert bookmark["label"] == "PCA of 4 problems"
    assert np.allclose([[p["umap-0"], p["umap-1"]] for p in bookmark["projections"]], atlas.pca[:, :2], rtol=1e-5)


def test_a_bookmark_for_each_layout_has_all_that_the_page_asks_of_it(atlas: Atlas) -> None:
    layout_3d = np.arange(12, dtype=np.float32).reshape(4, 3)
    flat, deep = json.loads(projector_files(replace(atlas, layout_3d=layout_3d))["bookmarks.json"])
    assert (flat["umapIs3d"], deep["umapIs3d"]) == (False, True)
    assert [[point[f"umap-{axis}"] for axis in range(3)] for point in deep["projections"]] == layout_3d.tolist()
    for state in (flat, deep):
        assert state["customSelectedSearchByMetadataOption"] in COLUMNS
        for side in ("XLeft", "XRight", "YUp", "YDown"):
            assert (state[f"custom{side}Text"], state[f"custom{side}Regex"]) == ("", False)
        assert all({f"pca-{axis}" for axis in range(6)} <= set(point) for point in state["projections"])


def test_more_problems_than_tensorboard_shows_are_sampled_alike_in_all_files(
    atlas: Atlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "POINT_LIMIT", 3)
    files = projector_files(atlas)
    assert files == projector_files(atlas)
    (bookmark,) = json.loads(files["bookmarks.json"])
    assert bookmark["label"] == "UMAP of 3 of 4 problems"
    assert len(bookmark["projections"]) == bookmark["dataSetDimensions"][0] == len(files["vectors.tsv"].splitlines()) == 3
    kept = [line.split(b"\t")[0].decode() for line in files["metadata.tsv"].splitlines()[1:]]
    assert kept == sorted(kept)
    assert len(kept) == 3


@pytest.mark.parametrize("rows", [[], [2]])
def test_fewer_than_two_problems_are_refused(rows: list[int], atlas: Atlas) -> None:
    with pytest.raises(ExportError, match="at least two"):
        projector_files(atlas, rows)


def test_vectors_of_one_number_get_a_zero_beside_it(atlas: Atlas) -> None:
    files = projector_files(replace(atlas, embeddings=np.ones((4, 1), np.float32)))
    assert files["vectors.tsv"] == b"1\t0\n" * 4
    assert json.loads(files["projector_config.json"])["embeddings"][0]["tensorShape"] == [4, 2]


def test_a_missing_number_is_an_empty_cell(atlas: Atlas) -> None:
    nearest = np.array([0.5, np.nan, 0.25, 1], np.float32)
    header, *lines = projector_files(replace(atlas, nearest_test=nearest))["metadata.tsv"].decode().splitlines()
    at = header.split("\t").index("nearest_test")
    assert [line.split("\t")[at] for line in lines] == ["0.5", "", "0.25", "1"]


@pytest.mark.parametrize("shift", range(4))
def test_no_character_lies_in_two_of_the_blocks_that_the_page_decodes(shift: int, atlas: Atlas) -> None:
    questions = ["a" * shift + "数" * 200_000, *("数" * 300 for _ in range(1500))]
    problems = tuple(
        parse_problem({"question": question, "answer": "#### 1"}, f"train-{row}", "train")
        for row, question in enumerate(questions)
    )
    long = replace(
        atlas,
        problem_set=ProblemSet("Long", "long", problems),
        embeddings=np.ones((len(problems), 2), np.float32),
        layout=np.zeros((len(problems), 2), np.float32),
        clusters=None,
    )
    content = projector_files(long)["metadata.tsv"]
    decoded = "".join(content[start : start + 1_000_000].decode() for start in range(0, len(content), 1_000_000))
    assert [line.split("\t")[-1].strip() for line in decoded.splitlines()[1:]] == questions


@pytest.mark.parametrize("address", ["https://example.org/map", "https://example.org/map/"])
def test_a_served_folder_has_a_link_and_whole_addresses(address: str, atlas: Atlas) -> None:
    (embedding,) = json.loads(projector_files(atlas, address=address)["projector_config.json"])["embeddings"]
    assert embedding["bookmarksPath"] == "https://example.org/map/bookmarks.json"
    link = urlsplit(standalone_link(address))
    assert parse_qs(link.query)["config"] == ["https://example.org/map/projector_config.json"]
