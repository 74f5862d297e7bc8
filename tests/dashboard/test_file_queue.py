"""Files for downloads: one is made at a time, a few wait, the others are told so."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dashboard.file_queue import FileBusyError, FileQueue


def test_one_file_is_made_at_a_time_and_only_so_many_wait() -> None:
    queue = FileQueue(waiting=2)
    began, go_on = threading.Event(), threading.Event()
    at_once, most = 0, 0

    def make() -> bytes:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        began.set()
        go_on.wait(60)
        at_once -= 1
        return b"file"

    with ThreadPoolExecutor(3) as sessions:
        asked = [sessions.submit(queue.making(make)) for _ in range(3)]
        began.wait(60)
        while queue._room._value:
            go_on.wait(0.01)
        with pytest.raises(FileBusyError):
            queue.making(make)()
        go_on.set()
        assert [one.result(60) for one in asked] == [b"file"] * 3
    assert most == 1


def test_a_file_that_cannot_be_made_holds_nobody_up() -> None:
    queue = FileQueue(waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            queue.making(lambda: 1 / 0)()
    assert queue.making(lambda: "file")() == "file"
