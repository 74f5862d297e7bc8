"""An atlas as files for the TensorFlow Embedding Projector, in TensorBoard or stand-alone, our layouts included.

The page runs UMAP on 5,000 points at most, so the layouts travel as bookmarks. It lists them at its lower right and loads none
by itself. The files' rules are those of TensorBoard's projector plugin and page, read in their source and tried in the page.
"""

import io
import json
import math
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.atlas import SAMPLE_SEED, Atlas, AtlasParameters
from analysis.frame import UNCLUSTERED, atlas_frame, cluster_titles
from analysis.layout import principal_components
from training.errors import AtlasError
from training.files import replace_file

VECTORS = "vectors.tsv"
METADATA = "metadata.tsv"
BOOKMARKS = "bookmarks.json"
STANDALONE_CONFIG = "projector_config.json"
TENSORBOARD_CONFIG = "projector_config.pbtxt"

POINT_LIMIT = 100_000
"""TensorBoard hands its page no more points, and a bookmark of more throws there."""
CATEGORY_LIMIT = 50
"""The page colours by a column of texts only if it has no more different ones."""
LARGE_CLUSTER = "large cluster"
"""The column that the page can colour by where there are more clusters than that."""
SMALLER = "a smaller one"

TENSORBOARD_STEPS = (
    "Run tensorboard --logdir {folder} and open http://localhost:6006/#projector. When the points are there, press the circle "
    'beside "UMAP of ..." under Bookmarks, at the lower right.'
)
STANDALONE_STEPS = (
    "Without TensorBoard: at https://projector.tensorflow.org press Load, choose vectors.tsv, then metadata.tsv, and click "
    'beside the dialog. Open Bookmarks at the lower right, press the arrow "Load bookmarks", choose bookmarks.json, and press '
    'the circle beside "UMAP of ..." unless it is filled.'
)

_COLUMNS = ("id", "split", "steps", "equations", "cluster", LARGE_CLUSTER, "length", "gold", "operations", "nearest_test")
_NUMBER_FORMAT = "%.6g"
_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")
_NOT_IN_A_QUERY = re.compile("[#&%+:]")
"""The page puts a tensor's name into an address as it is; TensorFlow takes what follows a colon for an output number."""
_BLOCK_BYTES = 1_000_000
_PRINCIPAL_COMPONENTS = 10
"""As many as the page offers."""
_CUSTOM_SIDES = ("XLeft", "XRight", "YUp", "YDown")
"""The page's own names in its fourth way to project."""


class ExportError(AtlasError):
    """A folder cannot take exported files, or the Projector could not show them."""


def export_projector(atlas: Atlas, folder: Path, rows: Sequence[int] | None = None, *, address: str = "") -> tuple[Path, ...]:
    """Write the projector's files into a folder, replacing those of an earlier export; returns their paths.

    Args:
        atlas: the map; before its layout is built, its principal components travel instead.
        folder: is made if need be.
        rows: the problems to export, all when left out.
        address: where the folder will be served from, for the stand-alone configuration.

    Raises:
        ExportError: the folder cannot be made or written, or there are not two problems to show.
    """
    contents = projector_files(atlas, rows, address=address)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            _write(folder / name, content)
    except OSError as error:
        raise ExportError(
            f"The folder {folder} cannot be written ({error.strerror or error}).",
            "Name a folder that you may write to, with room for the files.",
        ) from error
    return tuple(folder / name for name in contents)


def projector_zip(atlas: Atlas, rows: Sequence[int] | None = None) -> bytes:
    """The same files as one archive; equal atlases give equal bytes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        for name, content in projector_files(atlas, rows).items():
            # A ZipInfo made by hand has a constant date.
            files.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def projector_files(atlas: Atlas, rows: Sequence[int] | None = None, *, address: str = "") -> dict[str, bytes]:
    """File name to content, the configurations last, so that what they name is there before them.

    Of more than `POINT_LIMIT` problems an even sample (seeded, order kept).

    Raises:
        ExportError: there are not two problems, which is the least that the page shows.
    """
    wanted = np.arange(len(atlas.embeddings)) if rows is None else np.asarray(rows, np.intp)
    if len(wanted) < 2:
        raise ExportError(f"The Embedding Projector cannot show {len(wanted)} problems.", "Export at least two.")
    chosen = wanted
    if len(wanted) > POINT_LIMIT:
        chosen = np.sort(np.random.default_rng(SAMPLE_SEED).choice(wanted, POINT_LIMIT, replace=False))
    embeddings = _two_wide(atlas.embeddings[chosen])
    name = _tensor_name(atlas)
    count = f"{len(chosen):,}" if len(chosen) == len(wanted) else f"{len(chosen):,} of {len(wanted):,}"
    return {
        VECTORS: _vectors(embeddings),
        METADATA: _metadata(atlas, chosen),
        BOOKMARKS: json.dumps(_bookmarks(atlas, chosen, embeddings, f"{count} problems")).encode() + b"\n",
        STANDALONE_CONFIG: _standalone_config(name, embeddings.shape, address),
        TENSORBOARD_CONFIG: _tensorboard_config(name, embeddings.shape),
    }


def standalone_link(address: str) -> str:
    """What opens the map of a folder served at an address; the server must allow other sites to read it (CORS)."""
    return f"https://projector.tensorflow.org/?config={quote(_served(address, STANDALONE_CONFIG), safe='')}"


def _write(file: Path, content: bytes) -> None:
    replace_file(file, lambda stream: stream.write(content))


def _two_wide(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """The page refuses vectors of one number: a zero beside it changes no distance."""
    return embeddings if embeddings.shape[1] > 1 else np.pad(embeddings, ((0, 0), (0, 1)))


def _vectors(embeddings: NDArray[np.float32]) -> bytes:
    """One row a problem, without header or labels: TensorBoard reads every cell as a number."""
    text = io.BytesIO()
    np.savetxt(text, embeddings, fmt=_NUMBER_FORMAT, delimiter="\t")
    return text.getvalue()


def _metadata(atlas: Atlas, rows: NDArray[np.intp]) -> bytes:
    """A header, as there are several columns, and a row a problem, its question last; the format knows no quoting."""
    frame = atlas_frame(atlas).iloc[rows]
    if atlas.clusters is not None:
        frame["cluster"] = frame["cluster"].map(cluster_titles(atlas.clusters, (), {}))
        if frame["cluster"].nunique() > CATEGORY_LIMIT:
            frame[LARGE_CLUSTER] = _large_clusters(frame["cluster"])
    columns = [column for column in (*_COLUMNS, "question") if column in frame]
    cells = frame[columns].itertuples(index=False)
    lines = ("\t".join(map(_cell, row)).encode() for row in cells)
    return _in_whole_characters("\t".join(columns).encode(), lines)


def _large_clusters(titles: "pd.Series[str]") -> "pd.Series[str]":
    """The titles of the largest clusters, `SMALLER` for all others; no more different ones than the page colours."""
    is_clustered = titles != UNCLUSTERED
    largest = titles[is_clustered].value_counts().index[: CATEGORY_LIMIT - 2]
    return titles.where(titles.isin(largest) | ~is_clustered, SMALLER)


def _in_whole_characters(header: bytes, lines: Iterable[bytes]) -> bytes:
    """The lines of the metadata; the page decodes a file in blocks, and garbles a character that lies in two of them.

    Blanks behind the question before move it into the second one.
    """
    content = bytearray(header + b"\n")
    for number, line in enumerate(lines):
        gap = 0
        while number > 0 and gap < 4 and _is_split(line, len(content) + gap):
            gap += 1
        content[-1:] = b" " * gap + b"\n" + line + b"\n"
    return bytes(content)


def _is_split(line: bytes, start: int) -> bool:
    """Whether a block begins inside a character of a line that begins at byte `start` of its file."""
    begins = range((start // _BLOCK_BYTES + 1) * _BLOCK_BYTES, start + len(line), _BLOCK_BYTES)
    return any(line[begin - start] & 0xC0 == 0x80 for begin in begins)  # the mark of a byte that goes on with a character


def _cell(value: object) -> str:
    """One line without tabs; empty where a number is missing, which the page takes for no value."""
    if isinstance(value, float):
        return "" if math.isnan(value) else _NUMBER_FORMAT % value
    return " ".join(str(value).encode("utf-8", "replace").decode().translate(_CONTROLS).split())


def _bookmarks(atlas: Atlas, rows: NDArray[np.intp], embeddings: NDArray[np.float32], what: str) -> list[dict[str, object]]:
    """The page's saved states that show our layouts, the flat one first.

    A state replaces all that the page has computed for a point, so the principal components come along: without them its
    PCA tab would be empty from then on.
    """
    components = principal_components(embeddings, min(_PRINCIPAL_COMPONENTS, embeddings.shape[1]))
    flat = atlas.pca[:, :2] if atlas.layout is None else atlas.layout
    layouts = {f"{'PCA' if atlas.layout is None else 'UMAP'} of {what}": flat}
    if atlas.layout_3d is not None:
        layouts[f"UMAP of {what}, 3-D"] = atlas.layout_3d
    return [_bookmark(label, layout[rows], components, embeddings.shape, atlas.parameters) for label, layout in layouts.items()]


def _bookmark(
    label: str,
    points: NDArray[np.float32],
    components: NDArray[np.float32],
    shape: tuple[int, ...],
    parameters: AtlasParameters,
) -> dict[str, object]:
    """Every field that the page's own states have, or its loading throws; where we want nothing, as the page begins.

    Left out is `shuffledDataIndices`, which the page then keeps; no `cameraDef` means that it places its camera itself.
    """
    return {
        "label": label,
        "isSelected": False,
        "selectedProjection": "umap",
        "dataSetDimensions": list(shape),
        "umapIs3d": points.shape[1] == 3,
        "umapNeighbors": parameters.neighbors,
        "umapMinDist": parameters.min_dist,
        "pcaComponentDimensions": list(range(min(3, shape[1]))),
        "tSNEPerplexity": max(5, math.ceil(math.sqrt(shape[0]) / 4)),
        "tSNELearningRate": 1,  # its slider's place: ten to this power
        "tSNEIteration": 0,
        "tSNEis3d": True,
        "projections": _projections({"umap": points, "pca": components}),
        "selectedPoints": [],
        "filteredPoints": None,
        "cameraDef": None,
        "selectedColorOptionName": "split",
        "forceCategoricalColoring": False,
        "selectedLabelOption": "id",
        "customSelectedSearchByMetadataOption": "id",
        **{f"custom{side}Text": "" for side in _CUSTOM_SIDES},
        **{f"custom{side}Regex": False for side in _CUSTOM_SIDES},
    }


def _projections(found: dict[str, NDArray[np.float32]]) -> list[dict[str, float]]:
    """What the page keeps of each point: `umap-0`, `umap-1` and so on."""
    names = [f"{kind}-{axis}" for kind, points in found.items() for axis in range(points.shape[1])]
    rows = np.concatenate([*found.values()], axis=1).tolist()
    return [{name: float(_NUMBER_FORMAT % value) for name, value in zip(names, row, strict=True)} for row in rows]


def _standalone_config(name: str, shape: tuple[int, ...], address: str) -> bytes:
    """The page reads relative paths from where it is served itself: elsewhere they need the folder's address."""
    embedding = {
        "tensorName": name,
        "tensorShape": list(shape),
        "tensorPath": _served(address, VECTORS),
        "metadataPath": _served(address, METADATA),
        "bookmarksPath": _served(address, BOOKMARKS),
    }
    return json.dumps({"embeddings": [embedding], "modelCheckpointPath": ""}, indent=2).encode() + b"\n"


def _served(address: str, file: str) -> str:
    return f"{address.rstrip('/')}/{file}" if address else file


def _tensorboard_config(name: str, shape: tuple[int, ...]) -> bytes:
    rows, width = shape
    return f"""embeddings {{
  tensor_name: {json.dumps(name, ensure_ascii=False)}
  tensor_path: "{VECTORS}"
  metadata_path: "{METADATA}"
  bookmarks_path: "{BOOKMARKS}"
  tensor_shape: {rows}
  tensor_shape: {width}
}}
""".encode()


def _tensor_name(atlas: Atlas) -> str:
    return _cell(_NOT_IN_A_QUERY.sub(" ", atlas.problem_set.name)) or "problems"
