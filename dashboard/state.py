"""What the dashboard remembers: the only session-state and query-parameter names, behind one typed object.

A field with a `url` name is shared by link: it is read from the address once, when a session starts, and written back by
the page that shows it. Widgets with a key of their own take it from `Keys`; one that edits a field is bound to it by
`State.bind`, so that the field alone says what is chosen.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Generic, TypeVar, get_args, overload

import streamlit as st

from analysis.atlas import MAX_SEED, STORED_NEIGHBORS, AtlasParameters, View
from dashboard.filters import MODES, Filters

Value = TypeVar("Value")
Number = TypeVar("Number", int, float)


class Keys(StrEnum):
    """Keys of widgets."""

    SOURCE_CHOICE = "source_choice"
    SOURCE_FOLDER = "source_folder"
    MAP = "map"
    COLOUR_CHOICE = "colour_choice"
    VIEW_CHOICE = "view_choice"
    DENSITY = "density_choice"
    LABELS = "labels_choice"
    COMBINE = "combine_choice"
    QUERY = "query_text"
    QUERY_MODE = "query_mode_choice"
    FILTER_SPLIT = "filter_split"
    FILTER_STEPS = "filter_steps"
    FILTER_CLUSTERS = "filter_clusters"
    FILTER_SUBSET = "filter_subset"
    TABLE = "table"
    STEPS_CHART = "steps_chart"
    CLUSTER_TABLE = "cluster_table"
    CLUSTER_NAME = "cluster_name"
    SUBSET_NAME = "subset_name"
    PAIRS = "pairs"
    LEAKAGE_COSINE = "leakage_cosine_choice"
    LEAKAGE_OVERLAP = "leakage_overlap_choice"
    LEAKAGE_KINDS = "leakage_kinds_choice"
    LEAKAGE_RANK = "leakage_rank_choice"
    LEAKAGE_SIDE = "leakage_side"
    FAILURE_KINDS = "failure_kinds"
    FAILURES = "failures"
    EXPORT = "export"
    LAUNCH_SUBSET = "launch_subset_choice"
    PRESET = "preset"
    RUN_TABLE = "run_table"
    FOLLOW = "follow"
    STEP = "step"
    GROUP = "group"
    STOP = "stop"
    RESUME = "resume"
    EVALUATED_RUN = "evaluated_run"


def _joined(values: Sequence[object]) -> str:
    return ",".join(map(str, values))


def _texts(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in _texts(text))


def _one_of(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(text)
        return text

    return parse


def _within(low: Number, high: Number, kind: Callable[[str], Number]) -> Callable[[str], Number]:
    def parse(text: str) -> Number:
        number = kind(text)
        if not low <= number <= high:
            raise ValueError(text)
        return number

    return parse


class Field(Generic[Value]):
    """One remembered value; reading it before it was set gives the default."""

    def __init__(
        self,
        default: Value,
        url: str | None = None,
        parse: Callable[[str], Value] | None = None,
        write: Callable[[Any], str] = str,
    ) -> None:
        self.default = default
        self.url = url
        self.parse = parse or type(default)
        """From the address's text; raises `ValueError` where that is no such value."""
        self.write = write

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

    model: Field[str] = Field(AtlasParameters.model, url="model")
    compare_with: Field[str] = Field(AtlasParameters.compare_with, url="compare")
    neighbors: Field[int] = Field(AtlasParameters.neighbors, url="neighbors", parse=_within(2, STORED_NEIGHBORS, int))
    min_dist: Field[float] = Field(AtlasParameters.min_dist, url="min_dist", parse=_within(0.0, 1.0, float))
    seed: Field[int] = Field(AtlasParameters.seed, url="seed", parse=_within(0, MAX_SEED, int))
    """These five are `AtlasParameters`."""

    colour: Field[str] = Field("split", url="colour")
    """A key of `figures.COLOURINGS`, or `<outcome>:<run>`."""
    view: Field[str] = Field("2-D", url="view", parse=_one_of(*get_args(View)))
    """An `analysis.atlas.View`."""
    density: Field[bool] = Field(False, url="density", parse=lambda text: text == "True")
    labels: Field[bool] = Field(True, url="labels", parse=lambda text: text == "True")
    """Whether density lines and cluster names are drawn."""
    problem: Field[str] = Field("", url="problem")
    """The id of the chosen problem, empty when none is."""

    split: Field[str] = Field("", url="split", parse=_one_of("train", "test"))
    steps: Field[tuple[str, ...]] = Field((), url="steps", parse=_texts, write=_joined)
    clusters: Field[tuple[int, ...]] = Field((), url="cluster", parse=_numbers, write=_joined)
    subset: Field[str] = Field("", url="subset")
    query: Field[str] = Field("", url="q")
    query_mode: Field[str] = Field("words", url="search", parse=_one_of(*MODES))
    """These six are `Filters`."""

    selected: Field[tuple[int, ...]] = Field(())
    """Rows of the problems selected on the map."""
    combine: Field[str] = Field("New")
    """How the next lasso and the selection are put together: a key of `filters.COMBINE`."""
    picked: Field[tuple[str, ...]] = Field(())
    """How the selection was made, step by step."""

    leakage_rank: Field[str] = Field("cosine", url="rank", parse=_one_of("cosine", "overlap"))
    cosine_threshold: Field[float] = Field(0.8, url="cosine", parse=_within(0.0, 1.0, float))
    overlap_threshold: Field[float] = Field(0.2, url="overlap", parse=_within(0.0, 1.0, float))
    leakage_kinds: Field[tuple[str, ...]] = Field((), url="kinds", parse=_texts, write=_joined)
    """Which pairs the leakage workbench shows."""

    run: Field[str] = Field("", url="run")
    """The id of the run shown, empty for the list of runs."""
    launch_subset: Field[str] = Field("", url="train_on")
    """The subset that Launch begins with."""

    @property
    def parameters(self) -> AtlasParameters:
        """Which map of the source is shown."""
        return AtlasParameters(self.model, self.neighbors, self.min_dist, self.seed, self.compare_with)

    @property
    def filters(self) -> Filters:
        """Which problems are in question."""
        return Filters(self.split, self.steps, self.clusters, self.subset, self.query, self.query_mode)

    def bind(self, field: "Field[Any]", key: Keys) -> dict[str, Any]:
        """The keyword arguments that make a widget show and edit a field."""
        st.session_state[key] = field.__get__(self, State)

        def take() -> None:
            value = st.session_state[key]
            if isinstance(value, list):  # widgets that hold several values
                value = tuple(value)
            field.__set__(self, field.default if value is None else value)

        return {"key": key, "on_change": take}

    def read_url(self) -> None:
        """Take over what the address says, for fields that this session has not set yet; what makes no sense is left."""
        for field in _url_fields():
            shared = st.query_params.get(str(field.url))
            if shared is not None and field.name not in st.session_state:
                try:
                    st.session_state[field.name] = field.parse(shared)
                except ValueError:
                    continue

    def write_url(self, *fields: "Field[Any]") -> None:
        """Make the address show these fields, defaults left out, and nothing else."""
        values = {field: field.__get__(self, State) for field in fields}
        shown = {str(field.url): field.write(value) for field, value in values.items() if value != field.default}
        if st.query_params.to_dict() != shown:
            st.query_params.from_dict(shown)

    def clear_filters(self) -> None:
        """All problems are in question again."""
        self.split, self.steps, self.clusters, self.subset, self.query = "", (), (), "", ""

    def clear_selection(self) -> None:
        """Nothing is selected on the map."""
        self.selected, self.picked = (), ()

    def forget_problems(self) -> None:
        """Drop what refers to problems of a source that is no longer shown."""
        self.clear_filters()
        self.clear_selection()
        self.problem = ""


def _url_fields() -> Sequence["Field[Any]"]:
    return [field for field in vars(State).values() if isinstance(field, Field) and field.url]
