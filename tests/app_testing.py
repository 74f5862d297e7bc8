"""Running the dashboard's pages without a browser, through Streamlit's AppTest."""

from pathlib import Path
from urllib.parse import parse_qsl

from streamlit.testing.v1 import AppTest

APP = Path(__file__).resolve().parents[1] / "dashboard" / "app.py"
TIMEOUT_S = 600.0
"""For one run of a page: a second on an idle machine, a minute on a busy one."""


def run_app(page: str = "explore", /, **address: str) -> AppTest:
    """Run the program on a page, with query parameters."""
    test = AppTest.from_file(str(APP), default_timeout=TIMEOUT_S)
    for name, value in address.items():
        test.query_params[name] = value
    return test.switch_page(f"app_pages/{page}.py").run()


def words(test: AppTest) -> str:
    """Everything the page says."""
    kinds = (test.title, test.markdown, test.caption, test.text, test.error, test.info, test.warning, test.subheader)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def follow(test: AppTest) -> AppTest:
    """Open the page that the browser is told to open, by the link that stands in the page for it."""
    going = test.session_state["state_going"]
    address = dict(going.address)
    assert address in [dict(parse_qsl(link.proto.query_string)) for link in test.main.get("page_link")]
    for name in test.query_params.keys() - address.keys():
        del test.query_params[name]
    test.query_params.update(address)
    arrived = test.switch_page(going.page).run()
    assert not arrived.exception
    assert arrived.session_state["state_going"] is None
    assert arrived.query_params == address  # else going back takes two steps
    return arrived
