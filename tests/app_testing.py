"""Running the dashboard's pages without a browser, through Streamlit's AppTest."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

APP = Path(__file__).resolve().parents[1] / "dashboard" / "app.py"


def run_app(page: str = "explore", /, **address: str) -> AppTest:
    """Run the program on a page, with query parameters."""
    test = AppTest.from_file(str(APP), default_timeout=30)
    for name, value in address.items():
        test.query_params[name] = value
    test.run()
    return test if page == "explore" else test.switch_page(f"app_pages/{page}.py").run()


def words(test: AppTest) -> str:
    """Everything the page says."""
    kinds = (test.title, test.markdown, test.caption, test.text, test.error, test.info, test.warning, test.subheader)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")
