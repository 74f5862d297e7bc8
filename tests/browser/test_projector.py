"""The exported files in the Embedding Projector's own page, which TensorBoard's package holds: our layout is what it shows."""

import functools
import http.server
import io
import math
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page
from tensorboard.plugins import projector

from analysis.atlas import Atlas, AtlasParameters
from analysis.clusters import Clusters
from analysis.embed import unit_rows
from analysis.neighbors import Neighbors
from analysis.projector import (
    BOOKMARKS,
    CATEGORY_LIMIT,
    LARGE_CLUSTER,
    METADATA,
    STANDALONE_CONFIG,
    VECTORS,
    export_projector,
    standalone_link,
)
from tests.browser.conftest import stop
from tests.ports import free_port
from training.data.problem import ProblemSet
from training.data.reader import parse_problem

pytestmark = pytest.mark.browser

TIMEOUT_MS = 300_000
"""GSM8K's 8,792 vectors are read and projected by the page in some ten seconds of an idle machine."""
PAGE_FILES = Path(projector.__file__).parent / "tf_projector_plugin"
TEST_SHARE = 0.15


def made_up_atlas(
    count: int,
    width: int,
    *,
    name: str = "Made up",
    questions: Sequence[str] | None = None,
    clusters: int = 3,
    with_3d: bool = True,
) -> Atlas:
    """An atlas of random places, whose last problems are of the test split."""
    random = np.random.default_rng(7)
    problems = []
    for row in range(count):
        split = "test" if row >= count - math.ceil(count * TEST_SHARE) else "train"
        question = questions[row] if questions else f"What is {row} and 1?"
        problems.append(
            parse_problem({"question": question, "answer": f"<<{row}+1={row + 1}>>\n#### {row + 1}"}, f"{split}-{row}", split)
        )
    embeddings = unit_rows(random.normal(size=(count, width)).astype(np.float32))
    labels = (np.arange(count) % (clusters + 1) - 1).astype(np.int16)
    names = tuple(f"topic {number}" for number in range(clusters))
    return Atlas(
        problem_set=ProblemSet(name, "made-up", tuple(problems)),
        parameters=AtlasParameters(),
        embeddings=embeddings,
        neighbors=Neighbors(np.zeros((count, 1), np.int32), np.ones((count, 1), np.float32)),
        pca=np.zeros((count, 3), np.float32),
        layout=(random.normal(size=(count, 2)) * [3, 8] + [5, -2]).astype(np.float32),
        layout_3d=random.normal(size=(count, 3)).astype(np.float32) if with_3d else None,
        clusters=Clusters(labels, names, tuple(range(clusters)), "the map", {"the map": 0.1}),
    )


class ProjectorPage:
    """The page's element `vz-projector`, wherever it is shown."""

    def __init__(self, page: Page, element: Locator) -> None:
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        self._element = element.element_handle(timeout=TIMEOUT_MS)
        frame = self._element.owner_frame()
        assert frame is not None
        self.frame = frame

    def ask(self, expression: str, argument: Any = None) -> Any:
        """What an expression of `vz`, the element, and `arg` gives."""
        return self._element.evaluate(f"(vz, arg) => {expression}", argument)

    def wait_for(self, expression: str) -> None:
        self.frame.wait_for_function(f"(vz) => {expression}", arg=self._element, timeout=TIMEOUT_MS)

    def wait_for_points(self) -> None:
        """Until the page has shown what it shows by itself: its own principal components."""
        self.wait_for("vz.projection?.projectionType === 'pca'")

    def press_bookmark(self, number: int) -> None:
        self.frame.locator("vz-projector-bookmark-panel .state-radio").nth(number).click(timeout=TIMEOUT_MS)

    def bookmarks(self) -> list[str]:
        return list(self.ask("vz.bookmarkPanel.savedStates.map((state) => state.label)"))

    def shown(self) -> tuple[str, int]:
        """Projection and number of dimensions."""
        kind, dimensions = self.ask("[vz.projection.projectionType, vz.projection.dimensionality]")
        return kind, dimensions

    def place(self, row: int) -> list[float]:
        """The coordinates of a point in the projection shown."""
        return list(
            self.ask(
                "vz.projection.projectionComponents.filter((name) => name !== null)"
                ".map((name) => vz.dataSet.points[arg].projections[name])",
                row,
            )
        )

    def drawn(self) -> NDArray[np.float64]:
        """(N, 3): where the page draws the points."""
        return np.array(self.ask("Array.from(vz.projectorScatterPlotAdapter.scatterPlot.worldSpacePointPositions)")).reshape(
            -1, 3
        )

    def legend(self) -> dict[str, tuple[str, int]]:
        """Value -> colour and number of points, as the page lists them."""
        items = self.ask("vz.dataPanel.colorLegendRenderInfo.items")
        return {item["label"]: (item["color"], item["count"]) for item in items}

    def colour(self, row: int) -> str:
        return str(self.ask("vz.projectorScatterPlotAdapter.legendPointColorer(vz.dataSet, arg)", row))

    def metadata(self, row: int) -> dict[str, Any]:
        return dict(self.ask("vz.dataSet.points[arg].metadata", row))

    def pixels(self, colour: str) -> int:
        """How many pixels of the drawing have a colour such as #1f77b4."""
        picture = np.asarray(Image.open(io.BytesIO(self.frame.locator("#scatter").screenshot())).convert("RGB"))
        wanted = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
        return int((picture == wanted).all(axis=2).sum())


def scaled(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """As the page draws them: each axis from -1 to 1."""
    low, high = points.min(axis=0), points.max(axis=0)
    return (points.astype(float) - low) / (high - low) * 2 - 1


@contextmanager
def tensorboard(folder: Path, log: Path) -> Iterator[str]:
    """The address of a TensorBoard on a folder."""
    port = free_port()
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + TIMEOUT_MS / 1000
        while process.poll() is None and time.monotonic() < until:
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        stop(process)


@pytest.fixture
def show(page: Page, tmp_path: Path) -> Iterator[Callable[[Atlas], ProjectorPage]]:
    """Exports an atlas and opens it in TensorBoard, as the printed steps say."""
    with ExitStack() as stack:

        def open_it(atlas: Atlas) -> ProjectorPage:
            export_projector(atlas, tmp_path / "out")
            address = stack.enter_context(tensorboard(tmp_path / "out", tmp_path / "log.txt"))
            page.goto(f"{address}/#projector", timeout=TIMEOUT_MS)
            frame = page.frame_locator("iframe").frame_locator("iframe")  # the plugin's, and the page's in it
            opened = ProjectorPage(page, frame.locator("vz-projector"))
            opened.wait_for_points()
            return opened

        yield open_it


def test_gsm8k_stands_in_the_page_where_our_map_has_it(show: Callable[[Atlas], ProjectorPage]) -> None:
    atlas = made_up_atlas(8792, 384)
    assert atlas.layout is not None
    assert atlas.layout_3d is not None
    projector = show(atlas)
    assert projector.bookmarks() == ["UMAP of 8,792 problems", "UMAP of 8,792 problems, 3-D"]
    own_fields = projector.ask("Object.keys(vz.getCurrentState())")

    for number, layout in enumerate((atlas.layout, atlas.layout_3d)):
        projector.press_bookmark(number)
        assert projector.shown() == ("umap", layout.shape[1])
        for row in (0, 8000):
            assert projector.place(row) == pytest.approx(layout[row].tolist(), rel=1e-5)
        drawn = projector.drawn()
        np.testing.assert_allclose(drawn[:, : layout.shape[1]], scaled(layout), atol=1e-4)
        assert layout.shape[1] == 3 or not drawn[:, 2].any()
        legend = projector.legend()
        assert {name: count for name, (_, count) in legend.items()} == {"train": 7473, "test": 1319}
        assert (projector.colour(0), projector.colour(8000)) == (legend["train"][0], legend["test"][0])
        if layout.shape[1] == 2:  # in 3-D what lies further back is paler
            assert all(projector.pixels(colour) > 100 for colour, _ in legend.values())
        assert projector.ask("vz.selectedLabelOption") == "id"
        state = projector.ask("Object.keys(vz.bookmarkPanel.savedStates[arg])", number)
        assert set(own_fields) - set(state) == {"shuffledDataIndices"}

    projector.frame.locator('.ink-tab[data-tab="pca"]').click()
    projector.wait_for("vz.projection?.projectionType === 'pca'")
    assert np.isfinite(projector.drawn()).all()
    assert projector.errors == []


@pytest.mark.parametrize(("count", "width"), [(2, 1), (49, 12)])
def test_a_few_problems_stand_where_our_map_has_them(count: int, width: int, show: Callable[[Atlas], ProjectorPage]) -> None:
    atlas = made_up_atlas(count, width, with_3d=False)
    assert atlas.layout is not None
    projector = show(atlas)
    projector.press_bookmark(0)
    assert projector.shown() == ("umap", 2)
    for row in range(count):
        assert projector.place(row) == pytest.approx(atlas.layout[row].tolist(), rel=1e-5)
    assert set(projector.legend()) == {"train", "test"}
    assert projector.errors == []


def test_any_script_and_any_name_arrive_whole(show: Callable[[Atlas], ProjectorPage]) -> None:
    """The metadata is longer than the block of a million bytes that the page decodes at once."""
    questions = [f"{'数学' * 150}{row}“½” – {'é' * (row % 5)}?" for row in range(1500)]
    name = "R&D #1: 100% 数学 + «x» \\ 'y'"
    projector = show(made_up_atlas(1500, 8, name=name, questions=questions))
    assert projector.ask("vz.dataSet.points.map((point) => point.metadata.question.trim())") == questions
    projector.press_bookmark(0)
    assert projector.shown() == ("umap", 2)
    assert projector.ask("vz.dataPanel.selectedTensor") == "R D 1 100 数学 «x» \\ 'y'"
    assert projector.errors == []


def test_more_clusters_than_the_page_colours_are_joined_for_it(show: Callable[[Atlas], ProjectorPage]) -> None:
    atlas = made_up_atlas(400, 8, clusters=60)
    projector = show(atlas)
    projector.press_bookmark(0)
    offered = projector.ask("vz.dataPanel.colorOptions.map((option) => option.name)")
    assert LARGE_CLUSTER in offered
    assert "cluster" not in offered
    projector.ask("vz.dataPanel.selectedColorOptionName = arg", LARGE_CLUSTER)
    assert len(projector.legend()) == CATEGORY_LIMIT
    assert projector.metadata(61)["cluster"] == "unclustered"
    assert projector.metadata(62)["cluster"] == "topic 0"


class _Readable(http.server.SimpleHTTPRequestHandler):
    """Files that pages of other sites may read."""

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Readable, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[str]:
    """The address of the stand-alone page, made of TensorBoard's files as projector.tensorflow.org is.

    That site cannot be reached from here. Its page has the same script and the element `vz-projector-app`, which TensorBoard's
    page leaves out; it begins with a map of its own.
    """
    site = tmp_path / "site"
    export_projector(made_up_atlas(60, 5, name="Begins with", with_3d=False), site)
    (site / "projector_binary.js").symlink_to(PAGE_FILES / "projector_binary.js")
    html = (PAGE_FILES / "projector_binary.html").read_text(encoding="utf-8")
    element = f'<vz-projector-app serving-mode="demo" projector-config-json-path="{STANDALONE_CONFIG}"></vz-projector-app>'
    (site / "index.html").write_text(
        html.replace("<vz-projector-dashboard></vz-projector-dashboard>", element), encoding="utf-8"
    )
    with served(site) as address:
        yield address


def test_the_stand_alone_page_opens_a_served_folder_by_its_link(page: Page, standalone: str, tmp_path: Path) -> None:
    atlas = made_up_atlas(300, 12)
    assert atlas.layout is not None
    (tmp_path / "map").mkdir()
    with served(tmp_path / "map") as address:
        export_projector(atlas, tmp_path / "map", address=address)
        page.goto(f"{standalone}/?{urlsplit(standalone_link(address)).query}", timeout=TIMEOUT_MS)
        projector = ProjectorPage(page, page.locator("vz-projector"))
        projector.wait_for_points()
        projector.press_bookmark(0)
        assert projector.shown() == ("umap", 2)
        assert projector.place(299) == pytest.approx(atlas.layout[299].tolist(), rel=1e-5)
        assert set(projector.legend()) == {"train", "test"}
        assert projector.errors == []


def test_the_stand_alone_page_takes_the_files_by_hand(page: Page, standalone: str, tmp_path: Path) -> None:
    atlas = made_up_atlas(300, 12)
    assert atlas.layout is not None
    export_projector(atlas, tmp_path / "map")
    page.goto(standalone, timeout=TIMEOUT_MS)
    projector = ProjectorPage(page, page.locator("vz-projector"))
    projector.wait_for_points()
    panel = page.locator("vz-projector-data-panel")
    panel.locator("#upload").click()
    for button, file in (("#upload-tensors", VECTORS), ("#upload-metadata", METADATA)):
        with page.expect_file_chooser() as chooser:
            panel.locator(button).click()
        chooser.value.set_files(tmp_path / "map" / file)
        projector.wait_for("vz.dataSet?.points.length === 300")
    projector.wait_for("vz.dataSet.points[0].metadata.split === 'train'")
    backdrop = page.locator("iron-overlay-backdrop")
    while backdrop.count():  # the first press may close the message that the metadata are read
        page.keyboard.press("Escape")
        page.wait_for_timeout(200)
    projector.wait_for_points()
    with page.expect_file_chooser() as chooser:
        page.get_by_title("Load bookmarks").click()
    chooser.value.set_files(tmp_path / "map" / BOOKMARKS)
    projector.wait_for("vz.bookmarkPanel.savedStates.length === 3")
    projector.press_bookmark(1)
    assert projector.shown() == ("umap", 2)
    assert projector.place(299) == pytest.approx(atlas.layout[299].tolist(), rel=1e-5)
    assert set(projector.legend()) == {"train", "test"}
