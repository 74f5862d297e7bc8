"""Layouts from a process of their own are the same layouts, and its death costs nothing but time."""

import multiprocessing
import os
import signal

import numpy as np
import pytest

from analysis.layout import lay_out
from analysis.layout_process import layout_process
from analysis.neighbors import nearest_neighbors


@pytest.fixture(scope="module")
def arguments() -> dict[str, object]:
    points = np.random.default_rng(1).normal(size=(80, 6)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return {"embeddings": points, "neighbors": nearest_neighbors(points, 10), "dimensions": 2, "min_dist": 0.1, "seed": 3}


def test_a_layout_from_the_process_is_the_same_and_the_process_ends(arguments: dict[str, object]) -> None:
    with layout_process() as process:
        first, second = process.lay_out(**arguments), process.lay_out(**arguments | {"dimensions": 3})
    assert np.array_equal(first, lay_out(**arguments))  # type: ignore[arg-type]
    assert second.shape == (80, 3)
    assert multiprocessing.active_children() == []


def test_a_process_that_dies_is_replaced_by_its_caller(arguments: dict[str, object]) -> None:
    with layout_process() as process:
        (child,) = multiprocessing.active_children()
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert np.array_equal(process.lay_out(**arguments), lay_out(**arguments))  # type: ignore[arg-type]
