"""Layouts computed in a process of their own, which imports and compiles UMAP while the embeddings are still on their way.

In a fresh process that takes 20 to 30 seconds of one core: as long as loading and converting the embedding model, which
keeps one core busy too. What a layout is, is for `analysis.layout`.
"""

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from analysis.layout import lay_out
from analysis.neighbors import nearest_neighbors

WORTH_IT = 2_000
"""With fewer problems to embed than this the process would be ready later than its caller."""


class LayoutProcess:
    """Takes the arguments of `lay_out` and gives its result, computed here if the process has died."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lay_out(self, **arguments: Any) -> NDArray[np.float32]:
        """As `analysis.layout.lay_out`."""
        try:
            self._connection.send(arguments)
            points: NDArray[np.float32] = self._connection.recv()
        except (EOFError, OSError):
            return lay_out(**arguments)
        return points


@contextmanager
def layout_process() -> Iterator[LayoutProcess]:
    """A process that warms up at once and ends with the body, whatever it is doing then."""
    # Spawned, not forked: the caller has threads.
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True, name="layout")
    process.start()
    there.close()
    try:
        yield LayoutProcess(here)
    finally:
        here.close()
        process.kill()
        process.join()


def _serve(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal is the caller's to answer
    # UMAP makes progress bars, whose lock would otherwise be one that the system keeps when this process is killed.
    tqdm.set_lock(threading.RLock())
    _warm_up()
    while True:
        try:
            arguments = connection.recv()
        except EOFError:
            return
        connection.send(lay_out(**arguments))


def _warm_up() -> None:
    """Have UMAP compile what a layout of any size needs."""
    points = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    for dimensions in (2, 3):
        lay_out(points, nearest_neighbors(points, 5), dimensions=dimensions, min_dist=0.1, seed=0, epochs=2)
