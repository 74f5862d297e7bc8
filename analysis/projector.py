"""An atlas as files for the TensorFlow Embedding Projector, stand-alone or in TensorBoard, our layout included.

The page runs UMAP on 5,000 points at most, so the layout travels as a bookmark, which the page lists at its lower right.
The files' rules are those of TensorBoard's projector plugin and page, as read in their source.
"""

import io
import json
import unicodedata
import zipfile
from pathlib import Path

import numpy as np

from analysis.atlas import Atlas, atlas_frame
from analysis.cache import replace_file
from training.errors import AtlasError

VECTORS = "vectors.tsv"
METADATA = "metadata.tsv"
BOOKMARKS = "bookmarks.json"
STANDALONE_CONFIG = "projector_config.json"
TENSORBOARD_CONFIG = "projector_config.pbtxt"

_COLUMNS = ["id", "split", "steps", "equations", "gold", "question"]
_NUMBER_FORMAT = "%.6g"
_ASCII = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-", "×": "x", "÷": "/", "\u200b": ""}
    | {"¼": " 1/4", "½": " 1/2", "¾": " 3/4", "¢": " cents", "£": "GBP ", "€": "EUR "}
)


class ExportError(AtlasError):
    """A folder cannot take exported files."""


def export_projector(atlas: Atlas, folder: Path) -> tuple[Path, ...]:
    """Write the projector's files into a folder, replacing those of an earlier export; returns their paths.

    `tensorboard --logdir <folder>` shows them; so does projector.tensorflow.org with the JSON configuration's address.

    Raises:
        ExportError: the folder cannot be made or written.
    """
    contents = projector_files(atlas)
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


def projector_zip(atlas: Atlas) -> bytes:
    """The same files as one archive; equal atlases give equal bytes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        for name, content in projector_files(atlas).items():
            # A ZipInfo made by hand has a constant date.
            files.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def projector_files(atlas: Atlas) -> dict[str, bytes]:
    """File name to content, the configurations last, so that what they name is there before them."""
    contents = {
        VECTORS: _vectors(atlas),
        METADATA: _metadata(atlas),
        BOOKMARKS: json.dumps([_bookmark(atlas)]) + "\n",
        STANDALONE_CONFIG: _standalone_config(atlas),
        TENSORBOARD_CONFIG: _tensorboard_config(atlas),
    }
    return {name: content.encode("ascii") for name, content in contents.items()}


def _write(file: Path, content: bytes) -> None:
    replace_file(file, lambda stream: stream.write(content))


def _vectors(atlas: Atlas) -> str:
    """One row a problem, without header or labels: TensorBoard reads every cell as a number."""
    text = io.StringIO()
    np.savetxt(text, atlas.embeddings, fmt=_NUMBER_FORMAT, delimiter="\t")
    return text.getvalue()


def _metadata(atlas: Atlas) -> str:
    """A header, as there are several columns, and a row a problem; the format knows no quoting."""
    rows = atlas_frame(atlas)[_COLUMNS].itertuples(index=False)
    lines = ["\t".join(_COLUMNS), *("\t".join(_cell(value) for value in row) for row in rows)]
    return "".join(f"{line}\n" for line in lines)


def _cell(value: object) -> str:
    """One line of ASCII without tabs: the page garbles characters that a chunk of its download splits."""
    decomposed = unicodedata.normalize("NFKD", str(value).translate(_ASCII))
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(plain.split()).encode("ascii", "replace").decode("ascii")


def _bookmark(atlas: Atlas) -> dict[str, object]:
    """The page's saved state that shows our layout; no `cameraDef` means that the page places its camera itself."""
    return {
        "label": f"UMAP of {len(atlas.layout)} problems",
        "isSelected": False,
        "selectedProjection": "umap",
        "dataSetDimensions": list(atlas.embeddings.shape),
        "umapIs3d": False,
        "umapNeighbors": atlas.parameters.neighbors,
        "umapMinDist": atlas.parameters.min_dist,
        "pcaComponentDimensions": [0, 1, 2],
        "tSNEPerplexity": 30,
        "tSNELearningRate": 10,
        "tSNEIteration": 0,
        "tSNEis3d": True,
        "projections": [{"umap-0": _rounded(x), "umap-1": _rounded(y)} for x, y in atlas.layout.tolist()],
        "selectedPoints": [],
        "filteredPoints": None,
        "cameraDef": None,
        "selectedColorOptionName": "split",
        "forceCategoricalColoring": False,
        "selectedLabelOption": "id",
    }


def _rounded(value: float) -> float:
    return float(_NUMBER_FORMAT % value)


def _standalone_config(atlas: Atlas) -> str:
    embedding = {
        "tensorName": _tensor_name(atlas),
        "tensorShape": list(atlas.embeddings.shape),
        "tensorPath": VECTORS,
        "metadataPath": METADATA,
        "bookmarksPath": BOOKMARKS,
    }
    return json.dumps({"embeddings": [embedding], "modelCheckpointPath": ""}, indent=2) + "\n"


def _tensorboard_config(atlas: Atlas) -> str:
    rows, width = atlas.embeddings.shape
    return f"""embeddings {{
  tensor_name: {json.dumps(_tensor_name(atlas))}
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
