"""Tables of the pages: their own CSV has nothing calculated, and they show what they showed."""

import pandas as pd
from streamlit.testing.v1 import AppTest


def test_a_table_shows_formulas_as_texts_and_all_else_as_it_is() -> None:
    def page() -> None:
        import pandas as pd

        from dashboard.components.shared.table import render_table

        moment = pd.Timestamp("2026-01-01")
        render_table(
            pd.DataFrame({"note": ["=1+1", "plain"], "operations": ["+ −", "-5"], "tags": [["@x"], []], "at": [moment, moment]})
        )
        render_table(pd.DataFrame())

    shown = AppTest.from_function(page, default_timeout=60).run().dataframe[0].value
    assert list(shown["note"]) == ["'=1+1", "plain"]
    assert list(shown["operations"]) == ["+ −", "-5"]
    assert [list(tags) for tags in shown["tags"]] == [["'@x"], []]
    assert list(shown["at"]) == [pd.Timestamp("2026-01-01")] * 2
