"""A page's frame survives its content: whatever is raised, navigation and source stay, and the page says what happened."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.app_testing import run_app, words
from tests.hostile import BAD_LINES, BAD_SETTINGS, NO_FILES
from training.errors import ModelError, StoreAwayError
from training.home import Home

pytestmark = pytest.mark.usefixtures("dashboard_home")

PAGES = ("explore", "insights", "launch", "runs", "evaluate")
ROOT = Path(__file__).resolve().parents[2]

RAISED: tuple[Exception, ...] = (
    RecursionError("deep"),
    ValueError("Exceeds the limit (4300 digits)"),
    OSError(36, "File name too long"),
    MemoryError(),
    KeyError("secret-value"),
)


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def source_of(test: AppTest) -> str:
    return str(test.session_state["source"]) if "source" in test.session_state else "auto"


def has_frame(test: AppTest) -> bool:
    """Whether nothing but our own words tell of an error, and the source can be chosen."""
    return not test.exception and "source_choice" in [box.key for box in test.sidebar.selectbox]


@pytest.mark.parametrize(("page", "error"), list(zip(PAGES, RAISED, strict=True)))
def test_what_a_page_raises_is_told_in_its_place(
    page: str, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dashboard.components.shared.style.render_title", raising(error))
    test = run_app(page)
    assert has_frame(test)
    (told,) = [str(shown.value) for shown in test.error]
    assert "\n\n" in told
    if isinstance(error, OSError):  # expected of a disk: told in words, without a traceback
        assert error.strerror in told
        return
    assert type(error).__name__ in told
    assert "secret-value" not in words(test)
    log = capsys.readouterr().err
    assert "Traceback" in log
    assert told.rpartition("under ")[2].strip(" .\\") in log


@pytest.mark.parametrize(
    "place",
    [
        "dashboard.data.problem_set",
        "dashboard.data.shares_home",
        "dashboard.data.store",
        "dashboard.data.home",
        "dashboard.data.reconcile_soon",
        "dashboard.components.shared.sidebar.tell_news",
        "dashboard.components.shared.sidebar.render_sign_in",
        "dashboard.components.shared.sidebar._take_address",
    ],
)
def test_what_the_sidebar_meets_leaves_the_source_and_the_page(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, raising(ZeroDivisionError("x")))
    test = run_app("insights")
    assert has_frame(test)
    assert [title.value for title in test.title] == ["Insights"]


def test_a_store_that_is_away_is_told_once_by_the_sidebar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.data.reconcile_soon", raising(StoreAwayError("Away.", "Wait.")))
    test = run_app("insights")
    assert has_frame(test)
    assert "cannot be reached" in words(test)


def test_an_address_whose_check_fails_shows_nothing_that_it_names(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page must not read what was never found to be allowed."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "train.jsonl").write_text('{"question": "the secret question", "answer": "#### 1"}\n')
    monkeypatch.setattr("dashboard.components.shared.sidebar.readable_source", raising(RuntimeError("loop")))
    test = run_app("explore", source=str(outside))
    assert has_frame(test)
    assert "outside" not in words(test)
    assert source_of(test) == "auto"


@pytest.mark.parametrize(
    ("page", "path"), list(zip(PAGES, ("~nosuchuser", "x" * 5000, "nul\0byte", "..", "a/" * 3000), strict=True))
)
def test_an_address_that_names_no_path_leaves_the_frame(page: str, path: str) -> None:
    test = run_app(page, source=path, model=path, compare=path, run=path, runs=path, preset=path, **{"from": path})
    assert has_frame(test)


@pytest.mark.parametrize("text", ["9" * 6000, "NaN", '{"a":' * 20_000])
def test_an_address_with_numbers_that_are_none_leaves_the_frame(text: str) -> None:
    names = ("neighbors", "min_dist", "seed", "cluster", "steps", "cosine", "window", "until", "step", "set", "smooth", "q")
    assert has_frame(run_app("launch", **dict.fromkeys(names, text)))


@pytest.mark.parametrize("name", ["deep lists", "a long number", "pipe", "link to itself", "folder"])
def test_a_hostile_source_is_told_and_the_source_can_be_changed(name: str, home: Home) -> None:
    folder = home.root / "mine"
    folder.mkdir()
    if name in NO_FILES:
        NO_FILES[name](folder / "train.jsonl")
    else:
        (folder / "train.jsonl").write_bytes(BAD_LINES[name])
    test = run_app("insights", source=str(folder))
    assert has_frame(test)
    assert "train.jsonl" in words(test)


def test_one_bad_preset_takes_no_other_away(home: Home) -> None:
    for number, content in enumerate(BAD_SETTINGS.values()):
        (home.presets / f"bad{number}.toml").write_bytes(content)
    for number, make in enumerate(NO_FILES.values()):
        make(home.presets / f"none{number}.toml")
    test = run_app("launch")
    assert has_frame(test)
    assert not test.error
    disabled = {button.key: button.disabled for button in test.button}
    assert not disabled["choose demo-collapse"]
    assert disabled["choose bad0"]
    assert disabled["choose none0"]


def test_a_preset_that_fails_otherwise_takes_no_other_away(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.components.launch.presets.placement", raising(ZeroDivisionError("x")))
    test = run_app("launch")
    assert has_frame(test)
    assert "choose demo-collapse" in [button.key for button in test.button]
    assert "failed unexpectedly" in words(test)


def test_a_callback_that_fails_leaves_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    test = run_app("explore")
    monkeypatch.setattr("dashboard.components.shared.sidebar.readable_source", raising(ZeroDivisionError("x")))
    test.sidebar.selectbox(key="source_choice").select("demo").run()
    assert has_frame(test)
    assert "failed unexpectedly" in words(test)
    assert source_of(test) == "auto"


def test_only_the_components_of_errors_make_fragments() -> None:
    users = [path.name for path in (ROOT / "dashboard").rglob("*.py") if "st.fragment" in path.read_text(encoding="utf-8")]
    assert users == ["errors.py"]


def test_a_part_that_fails_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a fragment that raises Streamlit would end the whole page."""
    monkeypatch.setattr("dashboard.components.launch.bench._render_example", raising(ModelError("No model.", "Take one.")))
    test = run_app("launch")
    assert has_frame(test)
    assert "No model." in words(test)
    assert "launch" in [button.key for button in test.button]
