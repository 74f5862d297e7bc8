"""What the dashboard remembers: the only session-state and query-parameter names, behind one typed object.

A field with a `url` name is shared by link: it is read from the address once, when a session starts, and written back by
the page that shows it. Widgets with a key of their own take it from `Keys`.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Generic, TypeVar, overload

import streamlit as st

Value = TypeVar("Value")


class Keys(StrEnum):
    """Keys of widgets."""

    SOURCE_CHOICE = "source_choice"
    SOURCE_FOLDER = "source_folder"
    MAP = "map"
    COLOUR_CHOICE = "colour_choice"
    TABLE = "table"
    STEPS = "steps"
    PAIRS = "pairs"
    EXPORT = "export"
    PRESET = "preset"
    RUN_TABLE = "run_table"
    FOLLOW = "follow"
    STEP = "step"
    GROUP = "group"
    STOP = "stop"
    RESUME = "resume"
    EVALUATED_RUN = "evaluated_run"


class Field(Generic[Value]):
    """One remembered value; reading it before it was set gives the default."""

    def __init__(self, default: Value, url: str | None = None) -> None:
        self.default = default
        self.url = url

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Field[Value]": ...
    @overload
    def __get__(self, instance: "State", owner: type) -> Value: ...
    def __get__(self, instance: "State | None", owner: type) -> "Field[Value] | Value":
        if instance is None:
            return self
        value: Value = st.session_state.get(self.name, self.default)
        return value

    def __set__(self, instance: "State", value: Value) -> None:
        st.session_state[self.name] = value


class State:
    """The session's memory. Holds nothing itself, so it can be made wherever it is needed."""

    source: Field[str] = Field("auto", url="source")
    """What `load_problems` takes: auto, demo, hub or a path."""
    source_error: Field[str] = Field("")
    """Why the source asked for last was not taken, empty when it was."""
    colour: Field[str] = Field("split", url="colour")
    """A key of `figures.COLOURINGS`."""
    problem: Field[str] = Field("", url="problem")
    """The id of the chosen problem, empty when none is."""
    selected: Field[tuple[str, ...]] = Field(())
    """Ids of the problems selected on the map."""

    run: Field[str] = Field("", url="run")
    """The id of the run shown, empty for the list of runs."""

    def read_url(self) -> None:
        """Take over what the address says, for fields that this session has not set yet."""
        for field in _url_fields():
            shared = st.query_params.get(str(field.url))
            if shared is not None and field.name not in st.session_state:
                st.session_state[field.name] = shared

    def write_url(self, *fields: "Field[str]") -> None:
        """Make the address show these fields, defaults left out, and nothing else."""
        shown = {str(field.url): value for field in fields if (value := field.__get__(self, State)) != field.default}
        if st.query_params.to_dict() != shown:
            st.query_params.from_dict(shown)

    def forget_problems(self) -> None:
        """Drop what refers to problems of a source that is no longer shown."""
        self.selected = ()
        self.problem = ""


def _url_fields() -> Sequence["Field[str]"]:
    return [field for field in vars(State).values() if isinstance(field, Field) and field.url]
