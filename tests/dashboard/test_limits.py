"""What whoever looks on may send has an end: texts, values in the address, selections, what is compared."""

import ast
import base64
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from analysis.atlas import MAP_LIMIT
from dashboard.components.map.map_plot import bits_of, rows_of
from dashboard.memory import Filtering
from dashboard.state import url_fields

ROOT = Path(__file__).resolve().parents[2]


def reading() -> None:
    """A page that takes over what its address says."""
    from dashboard.state import State

    State().read_url("runs")


@pytest.fixture
def page() -> AppTest:
    return AppTest.from_function(reading, default_timeout=60)


def test_no_value_of_an_address_is_longer_than_its_field_may_be(page: AppTest) -> None:
    fields = url_fields()
    assert max(field.longest for field in fields.values()) <= 8_000
    for name, field in fields.items():
        page.query_params[name] = "1" * (field.longest + 1)
    page.run()
    assert not page.exception
    assert {name for name, field in fields.items() if field.key in page.session_state} == set()


def test_a_value_as_long_as_its_field_may_be_is_taken_and_one_value_too_many_is_not(page: AppTest) -> None:
    page.query_params["q"] = "x" * Filtering.query.longest
    page.query_params["tag"] = ",".join("t" * 200)
    page.query_params["runs"] = ",".join("r" * 201)
    page.run()
    assert page.session_state["filtering_query"] == "x" * Filtering.query.longest
    assert page.session_state["runlist_tags"] == ("t",) * 200
    assert "compared_runs" not in page.session_state


def test_every_field_in_which_one_writes_has_an_end() -> None:
    """Streamlit cuts what is longer than `max_chars` before a page sees it, whatever a browser lets through."""
    endless = []
    for module in sorted((ROOT / "dashboard").rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("text_input", "text_area", "chat_input"):
                given = {keyword.arg for keyword in node.keywords}
                bound = [ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg is None]
                if "max_chars" not in given and not any("bind_text(" in call for call in bound):
                    endless.append(f"{module.name}:{node.lineno}")
    assert endless == []


def test_a_selection_has_no_more_rows_than_the_largest_map() -> None:
    everything = np.arange(MAP_LIMIT)
    assert rows_of(bits_of(everything)) == everything.tolist()
    assert len(rows_of(base64.b64encode(b"\xff" * 3_000_000).decode())) < MAP_LIMIT + 24
