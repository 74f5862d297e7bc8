"""The projector's files, read back by TensorBoard's own plugin, keep every rule of the format."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from werkzeug.test import Client
from werkzeug.wrappers import Response

from analysis.atlas import Atlas, AtlasParameters
from analysis.clusters import Clusters
from analysis.embed import unit_rows
from analysis.neighbors import nearest_neighbors
from analysis.projector import ExportError, export_projector, projector_files, projector_zip
from training.problems import ProblemSet, parse_problem

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

    lines = board.get("/metadata", run=".", name=name).decode("ascii").split("\n")
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
    assert lines[3].split("\t")[-1] == '"Curly" - GBP 5, 3 3/4 crepes, 20%, z, ?, ??'
    assert lines[5:] == [""]

    (bookmark,) = json.loads(board.get("/bookmarks", run=".", name=name))
    assert bookmark["dataSetDimensions"] == [4, 6]
    assert (bookmark["selectedProjection"], bookmark["umapIs3d"], bookmark["umapNeighbors"]) == ("umap", False, 15)
    placed = np.array([[point["umap-0"], point["umap-1"]] for point in bookmark["projections"]])
    assert np.allclose(placed, atlas.layout, rtol=1e-5)


def test_the_files_keep_the_rules_of_the_format(atlas: Atlas) -> None:
    files = projector_files(atlas)
    for content in files.values():
        assert content.isascii()
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
