"""A job's output on a full disk."""

import io
import sys

import pytest

from training.jobs.log import patient_output


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_line_that_cannot_be_written_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", FullDisk())
    monkeypatch.setattr(sys, "stderr", FullDisk())
    with patient_output():
        print("a step", flush=True)
        print("a warning", file=sys.stderr, flush=True)
    with pytest.raises(OSError, match="No space"):
        print("after it")


def test_what_can_be_written_is(capsys: pytest.CaptureFixture[str]) -> None:
    with patient_output():
        print("a step")
        print("a warning", file=sys.stderr)
    assert capsys.readouterr() == ("a step\n", "a warning\n")
