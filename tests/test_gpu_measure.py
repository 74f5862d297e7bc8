"""The measurement for GPUs, run at tiny size on the CPU so that its code is known to work."""

import json
from pathlib import Path

import pytest

from tests.gpu.measure import PLAIN, main


def test_plain_trl_and_the_transformers_engine_are_measured_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(
        shape="tiny",
        device="cpu",
        steps=1,
        warm_up=1,
        engines=["transformers", "dynamic sampling"],
        out=tmp_path / "measured.json",
    )
    report = json.loads((tmp_path / "measured.json").read_text())
    assert [row.get("error") for row in report["measured"]] == [None] * 3
    assert [row["what"] for row in report["measured"]] == [PLAIN, "transformers", "dynamic sampling"]
    assert all(row["step_s"] > 0 and row["tokens_per_s"] > 0 and row["peak_memory_gib"] > 0 for row in report["measured"])
    plain, ours, dynamic = (row["completion_tokens_per_step"] for row in report["measured"])
    assert plain == ours <= dynamic
    assert "s/step" in capsys.readouterr().out
