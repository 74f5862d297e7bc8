"""An atlas as files for the TensorFlow Embedding Projector, stand-alone or in TensorBoard, our layout included.

The page runs UMAP on 5,000 points at most, so the layout travels as a bookmark, which the page lists at its lower right.
The files' rules are those of TensorBoard's projector plugin and page, as read in their source.
"""

import io
import json
import unicodedata
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.atlas import Atlas
from analysis.frame import atlas_frame, cluster_titles
from training.errors import AtlasError
from training.files import replace_file

VECTORS = "vectors.tsv"
METADATA = "metadata.tsv"
BOOKMARKS = "bookmarks.json"
STANDALONE_CONFIG = "projector_config.json"
TENSORBOARD_CONFIG = "projector_config.pbtxt"

_COLUMNS = ("id", "split", "steps", "equations", "cluster", "length", "gold", "operations", "nearest_test", "question")
_NUMBER_FORMAT = "%.6g"
_ASCII = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-", "×": "x", "÷": "/", "\u200b": ""}
    | {"¼": " 1/4", "½": " 1/2", "¾": " 3/4", "¢": " cents", "£": "GBP ", "€": "EUR "}
)


class ExportError(AtlasError):
    """A folder cannot take exported files."""


def export_projector(atlas: Atlas, folder: Path, rows: Sequence[int] | None = None) -> tuple[Path, ...]:
    """Write the projector's files into a folder, replacing those of an earlier export; returns their paths.

    `tensorboard --logdir <folder>` shows them; so does projector.tensorflow.org with the JSON configuration's address.

    Args:
        atlas: the map; before its layout is built, its principal components travel instead.
        folder: is made if need be.
        rows: the problems to export, all when left out.

    Raises:
        ExportError: the folder cannot be made or written.
    """
    contents = projector_files(atlas, rows)
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


def projector_files(atlas: Atlas, rows: Sequence[int] | None = None) -> dict[str, bytes]:
    """File name to content, the configurations last, so that what they name is there before them."""
    chosen = np.arange(len(atlas.embeddings)) if rows is None else np.asarray(rows, np.intp)
    embeddings = atlas.embeddings[chosen]
    name = _tensor_name(atlas)
    contents = {
        VECTORS: _vectors(embeddings),
        METADATA: _metadata(atlas, chosen),
        BOOKMARKS: json.dumps([_bookmark(atlas, chosen)]) + "\n",
        STANDALONE_CONFIG: _standalone_config(name, embeddings.shape),
        TENSORBOARD_CONFIG: _tensorboard_config(name, embeddings.shape),
    }
    return {file: content.encode("ascii") for file, content in contents.items()}


def _write(file: Path, content: bytes) -> None:
    replace_file(file, lambda stream: stream.write(content))


def _vectors(embeddings: NDArray[np.float32]) -> str:
    """One row a problem, without header or labels: TensorBoard reads every cell as a number."""
    text = io.StringIO()
    np.savetxt(text, embeddings, fmt=_NUMBER_FORMAT, delimiter="\t")
    return text.getvalue()


def _metadata(atlas: Atlas, rows: NDArray[np.intp]) -> str:
    """A header, as there are several columns, and a row a problem; the format knows no quoting."""
    frame = atlas_frame(atlas).iloc[rows]
    if atlas.clusters is not None:
        frame["cluster"] = frame["cluster"].map(cluster_titles(atlas.clusters, (), {}))
    columns = [column for column in _COLUMNS if column in frame]
    cells = frame[columns].itertuples(index=False)
    lines = ["\t".join(columns), *("\t".join(_cell(value) for value in row) for row in cells)]
    return "".join(f"{line}\n" for line in lines)


def _cell(value: object) -> str:
    """One line of ASCII without tabs: the page garbles characters that a chunk of its download splits."""
    written = _NUMBER_FORMAT % value if isinstance(value, float) else str(value)
    decomposed = unicodedata.normalize("NFKD", written.translate(_ASCII))
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(plain.split()).encode("ascii", "replace").decode("ascii")


def _bookmark(atlas: Atlas, rows: NDArray[np.intp]) -> dict[str, object]:
    """The page's saved state that shows our layout; no `cameraDef` means that the page places its camera itself."""
    points = atlas.pca[rows, :2] if atlas.layout is None else atlas.layout[rows]
    return {
        "label": f"{'PCA' if atlas.layout is None else 'UMAP'} of {len(points)} problems",
        "isSelected": False,
        "selectedProjection": "umap",
        "dataSetDimensions": [len(points), atlas.embeddings.shape[1]],
        "umapIs3d": False,
        "umapNeighbors": atlas.parameters.neighbors,
        "umapMinDist": atlas.parameters.min_dist,
        "pcaComponentDimensions": [0, 1, 2],
        "tSNEPerplexity": 30,
        "tSNELearningRate": 10,
        "tSNEIteration": 0,
        "tSNEis3d": True,
        "projections": [{"umap-0": _rounded(x), "umap-1": _rounded(y)} for x, y in points.tolist()],
        "selectedPoints": [],
        "filteredPoints": None,
        "cameraDef": None,
        "selectedColorOptionName": "split",
        "forceCategoricalColoring": False,
        "selectedLabelOption": "id",
    }


def _rounded(value: float) -> float:
    return float(_NUMBER_FORMAT % value)


def _standalone_config(name: str, shape: tuple[int, ...]) -> str:
    embedding = {
        "tensorName": name,
        "tensorShape": list(shape),
        "tensorPath": VECTORS,
        "metadataPath": METADATA,
        "bookmarksPath": BOOKMARKS,
    }
    return json.dumps({"embeddings": [embedding], "modelCheckpointPath": ""}, indent=2) + "\n"


def _tensorboard_config(name: str, shape: tuple[int, ...]) -> str:
    rows, width = shape
    return f"""embeddings {{
  tensor_name: {json.dumps(name)}
  tensor_path: "{VECTORS}"
  metadata_path: "{METADATA}"
  bookmarks_path: "{BOOKMARKS}"
  tensor_shape: {rows}
  tensor_shape: {width}
}}
"""


def _tensor_name(atlas: Atlas) -> str:
    """Without a colon, which TensorFlow takes for an output number."""
    return _cell(atlas.problem_set.name.replace(":", " "))
