"""The state of a backend for a page: at once what is known, asked again in the background, ever more rarely while away."""

import threading

from tests.fakes import Clock
from training.backends import BackendState
from training.backends.watching import FRESH_S, Watch

FREE = BackendState("free")
AWAY = BackendState("unreachable", reason="no answer")


def test_a_page_does_not_wait_for_an_answer() -> None:
    asked, answer, told = threading.Event(), threading.Event(), threading.Event()

    def read(name: str) -> BackendState:
        asked.set()
        answer.wait(300)
        return FREE

    clock = Clock()
    watch = Watch(read, clock)
    assert watch.state("a100") is None
    assert asked.wait(300)
    assert watch.state("a100") is None
    answer.set()
    for _ in range(30_000):
        if watch.state("a100") is not None:
            break
        told.wait(0.01)
    assert watch.state("a100") == FREE


def test_an_answer_is_kept_for_seconds() -> None:
    answers = [FREE, BackendState("busy"), FREE]
    clock = Clock()
    watch = Watch(lambda name: answers.pop(), clock, background=False)
    assert watch.state("a100") == watch.state("a100") == FREE
    clock.now += FRESH_S
    watch.state("a100")
    assert watch.state("a100") == BackendState("busy")
    assert len(answers) == 1


def test_since_when_a_backend_is_away_stays_and_it_is_asked_ever_more_rarely() -> None:
    asked_at: list[float] = []
    clock = Clock()

    def read(name: str) -> BackendState:
        asked_at.append(clock.now - 1000)
        return AWAY if len(asked_at) < 6 else FREE

    watch = Watch(read, clock, background=False, now=clock)
    for _ in range(200):
        found = watch.state("a100")
        if found == FREE:
            break
        assert found is not None
        assert found.since == 1000
        clock.now += 1
    assert asked_at == [0, 3, 9, 21, 45, 93]


def test_an_unforeseen_error_is_told_as_unreachable() -> None:
    def read(name: str) -> BackendState:
        raise KeyError("data")

    found = Watch(read, Clock(), background=False).state("a100")
    assert found is not None
    assert found.reason == "It could not be asked (KeyError: 'data')."
