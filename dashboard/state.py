"""What the dashboard remembers: the only session-state and query-parameter names, behind one typed object.

A field with a `url` name is shared by link: it is read from the address when a session starts and whenever a person has
changed the address since, by a link or by going back, and written back by the page that shows it. Widgets with a key of
their own take it from `Keys`; one that edits a field is bound to it by `State.bind`, so that the field alone says what is
chosen.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from typing import Any, Generic, TypeVar, get_args, overload

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from analysis.atlas import MAX_SEED, STORED_NEIGHBORS, AtlasParameters, View
from analysis.outcomes import OF_TRAINING
from dashboard.filters import MODES, Filters
from dashboard.launch_changes import ADDRESS_CHARACTERS, Changes, parse_changes, write_changes
from training.insight.rollout_pages import Asked, Key, Level, Order, Verdict
from training.prompts import SYSTEM_PROMPT
from training.store.job_search import RunFilter

TEST_CHANGES = "test"
MAP_COLOURS = (*OF_TRAINING, TEST_CHANGES)
"""What colours a run's map: a measure of its training, or what became of the test problems."""

Value = TypeVar("Value")
Number = TypeVar("Number", int, float)

_UNDER_WAY_S = 3.0
"""A request that comes later than this after the address was written knows of it."""

TEXT_CHARACTERS = 1_000
"""What a field of one line holds, and a value in the address: names, paths, a question to look for."""
LONG_TEXT_CHARACTERS = 20_000
"""What a field of many lines holds: a prompt, a question."""
_SEARCH_CHARACTERS = 200
"""What is looked for in many rows."""
_LIST_CHARACTERS = 8_000
_LIST_PARTS = 200
"""Several values in the address, and their number."""


class Keys(StrEnum):
    """Keys of widgets."""

    TOKEN = "token_text"
    RUN_CURVES = "run_curves"
    RUN_LINE = "run_line"
    RUN_FIGURES = "run_figures"
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
    FILTER_WHERE = "filter_where"
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
    DUPLICATES = "duplicates"
    DUPLICATE_KINDS = "duplicate_kinds"
    FAILURE_KINDS = "failure_kinds"
    FAILURES = "failures"
    EXPORT = "export"
    LAUNCH_SUBSET = "launch_subset_choice"
    LAUNCH_PANEL = "launch_panel"
    LAUNCH_BACKEND = "launch_backend_choice"
    LAUNCH_HISTOGRAM = "launch_histogram"
    PRESET_NAME = "preset_name"
    PRESET_PURPOSE = "preset_purpose"
    PRESET_OVERWRITE = "preset_overwrite"
    BENCH_EXAMPLE = "bench_example"
    BENCH_PROBLEM = "bench_problem_choice"
    BENCH_COMPLETION = "bench_completion_text"
    BENCH_GOLD = "bench_gold_text"
    RUN_TABLE = "run_table"
    RUN_SEARCH = "run_search_text"
    RUN_STATUSES = "run_statuses_choice"
    RUN_TAGS = "run_tags_choice"
    RUN_ARCHIVED = "run_archived_choice"
    RUN_MARKS = "run_marks"
    COMPARED = "compared_choice"
    COMPARED_CURVES = "compared_curves_choice"
    COMPARED_CHART = "compared_chart"
    SMOOTHING = "smoothing_choice"
    CURVE_AXIS = "curve_axis_choice"
    RUN_TABS = "run_tabs"
    MAP_COLOUR = "map_colour_choice"
    MAP_WINDOW = "map_window_choice"
    TRAINING_MAP = "training_map"
    SPENT = "spent"
    SPENT_CLUSTERS = "spent_clusters"
    PROBLEM_GROUPS = "problem_groups"
    TEST_CHANGES = "test_changes"
    WHOLE_RUN = "whole_run"
    BROWSE = "browse_choice"
    FOLLOW = "follow"
    STEP = "step"
    GROUP = "group"
    GROUP_PART = "group_part"
    DIFFERENCES = "differences_choice"
    ROLLOUT_TEXT = "rollout_text_text"
    ROLLOUT_VERDICT = "rollout_verdict_choice"
    ROLLOUT_REWARD = "rollout_reward_choice"
    ROLLOUT_LEVEL = "rollout_level_choice"
    ROLLOUT_ORDER = "rollout_order_choice"
    EVIDENCE = "evidence"
    CHECKPOINT = "checkpoint"
    OUTPUT = "output"
    STOP = "stop"
    RESUME = "resume"
    DUPLICATE = "duplicate"
    EVALUATED_RUN = "evaluated_run"
    EVALUATE_PART = "evaluate_part_choice"
    EVALUATIONS = "evaluations_choice"
    COMPARE_BASE = "compare_base_choice"
    COMPARE_AGAINST = "compare_against_choice"
    ARTICLE = "article_choice"
    MEASURES_CHART = "measures_chart"
    CHANGE_MEASURE = "change_measure_choice"
    CHANGE_KIND = "change_kind_choice"
    CHANGES = "changes"
    TO_MAP = "to_map"
    STEPS_SCORES = "steps_scores"
    CLUSTER_SCORES = "cluster_scores"
    SAMPLES_CHART = "samples_chart"
    MEASURE_MODEL = "measure_model"
    MEASURE_CHECKPOINT = "measure_checkpoint"
    PLAY_MODEL = "play_model_choice"
    PLAY_CHECKPOINT = "play_checkpoint"
    PLAY_PROBLEM = "play_problem"
    PLAY_QUESTION = "play_question_text"
    PLAY_GOLD = "play_gold_text"
    PLAY_SYSTEM = "play_system_text"
    PLAY_TEMPERATURE = "play_temperature_choice"
    PLAY_SAMPLES = "play_samples_choice"
    PLAY_LENGTH = "play_length_choice"


def _joined(values: Sequence[object]) -> str:
    return ",".join(map(str, values))


def _texts(text: str) -> tuple[str, ...]:
    found = tuple(part for part in text.split(",") if part)
    if len(found) > _LIST_PARTS:
        raise ValueError(f"{len(found)} values")
    return found


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in _texts(text))


def _one_of(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(text)
        return text

    return parse


def _choice(literal: Any) -> Callable[[str], Any]:
    return _one_of(*get_args(literal))


def _within(low: Number, high: Number, kind: Callable[[str], Number]) -> Callable[[str], Number]:
    def parse(text: str) -> Number:
        number = kind(text)
        if not low <= number <= high:
            raise ValueError(text)
        return number

    return parse


def _range(text: str) -> tuple[float, ...]:
    first, last = (float(part) for part in _texts(text))
    if not 0 <= first < last:
        raise ValueError(text)
    return first, last


class Field(Generic[Value]):
    """One remembered value; reading it before it was set gives the default."""

    def __init__(
        self,
        default: Value,
        url: str | None = None,
        parse: Callable[[str], Value] | None = None,
        write: Callable[[Any], str] = str,
        *,
        followed: bool = True,
        longest: int | None = None,
    ) -> None:
        self.default = default
        self.url = url
        self.followed = followed
        """Whether a link within the session sets it here; otherwise the page that it leads to sees to it."""
        self.longest = longest or (_LIST_CHARACTERS if isinstance(default, tuple) else TEXT_CHARACTERS)
        """Characters of its text, in the address and in a field: whoever looks on may write anything into both."""
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


@dataclass(frozen=True)
class Told:
    """What a session knows of jobs, so that it hears of each thing once."""

    active: frozenset[str] = frozenset()
    """Ids of those that were queued or ran when it last looked."""
    statuses: Mapping[str, str] = field(default_factory=dict)
    """Id -> status at that time, of the newest ones."""
    signals: frozenset[tuple[str, str]] = frozenset()
    """(run, name of the signal) that were named before."""


@dataclass(frozen=True)
class Address:
    """What the session knows of its address."""

    page: str | None = None
    """The page that it is of, `None` before the first."""
    shown: Mapping[str, str] = field(default_factory=dict)
    """What was read or written last."""
    replaced: tuple[tuple[float, Mapping[str, str]], ...] = ()
    """What it was before, and until when (on the monotonic clock, in seconds), the latest first."""
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Page -> the names that it has written so far."""

    def recent(self) -> tuple[tuple[float, Mapping[str, str]], ...]:
        """What was replaced so lately that the browser may have asked before it knew."""
        return tuple((until, address) for until, address in self.replaced if time.monotonic() - until < _UNDER_WAY_S)

    def has_just_replaced(self, address: Mapping[str, str]) -> bool:
        return any(address == replaced for _, replaced in self.recent())


@dataclass(frozen=True)
class Going:
    """A page that the browser has been asked to open, see `components.shared.going`."""

    page: str
    address: Mapping[str, str]
    """The query."""
    origin: str
    """Path of the page that is left."""
    number: str
    """Another for each time that one goes."""


class State:
    """The session's memory. Holds nothing itself, so it can be made wherever it is needed."""

    source: Field[str] = Field("auto", url="source")
    """What `load_problems` takes: auto, demo, hub or a path."""
    source_error: Field[str] = Field("")
    """Why the source asked for last was not taken, empty when it was."""
    store_away: Field[bool] = Field(False)
    """Whether the run store could not be reached when the sidebar last looked."""

    has_token: Field[bool] = Field(False)
    """Whether the person has given the right token; never in the address."""
    signs_out: Field[bool] = Field(False)
    """Whether the person is leaving their account, which ends the session."""
    token_wrong: Field[int] = Field(0)
    token_wrong_at: Field[float] = Field(0.0)
    """How often in a row they have not, and when last (on the monotonic clock, in seconds)."""

    model: Field[str] = Field(AtlasParameters.model, url="model")
    compare_with: Field[str] = Field(AtlasParameters.compare_with, url="compare")
    neighbors: Field[int] = Field(AtlasParameters.neighbors, url="neighbors", parse=_within(2, STORED_NEIGHBORS, int))
    min_dist: Field[float] = Field(AtlasParameters.min_dist, url="min_dist", parse=_within(0.0, 1.0, float))
    seed: Field[int] = Field(AtlasParameters.seed, url="seed", parse=_within(0, MAX_SEED, int))
    """These five are `AtlasParameters`."""

    colour: Field[str] = Field("split", url="colour")
    """A key of `colourings.COLOURINGS`, `column:<name>` for a column of the data, or `<outcome>:<run>`."""
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
    where: Field[tuple[str, ...]] = Field((), url="where", parse=_texts, write=_joined)
    subset: Field[str] = Field("", url="subset")
    query: Field[str] = Field("", url="q")
    query_mode: Field[str] = Field("words", url="search", parse=_one_of(*MODES))
    """These seven are `Filters`."""

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
    run_search: Field[str] = Field("", url="find", longest=_SEARCH_CHARACTERS)
    run_statuses: Field[tuple[str, ...]] = Field((), url="status", parse=_texts, write=_joined)
    run_tags: Field[tuple[str, ...]] = Field((), url="tag", parse=_texts, write=_joined)
    run_archived: Field[bool] = Field(False, url="archived", parse=lambda text: text == "True")
    """Which runs the list shows."""
    run_page: Field[int] = Field(1, url="page", parse=_within(1, 1_000_000, int))
    """Which page of them, counted from 1."""
    paged_filter: Field[RunFilter | None] = Field(None)
    """What was asked for when the page was turned to, `None` before that."""
    marked_runs: Field[tuple[str, ...]] = Field(())
    """Ids of the runs chosen in the list."""
    compared_runs: Field[tuple[str, ...]] = Field((), url="runs", parse=_texts, write=_joined)
    """Ids of the runs that are compared, empty for the list of runs."""
    compared_curves: Field[tuple[str, ...]] = Field((), url="curves", parse=_texts, write=_joined)
    """Keys of the curves compared, empty for the usual ones."""
    smoothing: Field[float] = Field(0.0, url="smooth", parse=_within(0.0, 0.99, float))
    """The weight of the past in curves that are drawn smoothed."""
    curve_axis: Field[str] = Field("step", url="axis", parse=_one_of("step", "time"))
    run_tab: Field[str] = Field("", url="tab")
    """Which part of a run is shown, empty for the first."""
    curve_window: Field[tuple[float, ...]] = Field((), url="window", parse=_range, write=_joined)
    """The first and the last step that a run's curves show, empty for the whole run."""
    map_colour: Field[str] = Field("pass_rate", url="map", parse=_one_of(*MAP_COLOURS))
    map_step: Field[int] = Field(0, url="until", parse=_within(0, 1_000_000_000, int))
    map_window: Field[int] = Field(0, url="last", parse=_within(0, 1_000_000_000, int))
    """What colours a run's map: a measure of training up to a step (0 for the latest), of so many steps (0 for all)."""
    map_problem: Field[str] = Field("", url="point")
    """The id of the problem chosen on a run's map, empty when none is."""
    browse: Field[str] = Field("groups", url="browse", parse=_one_of("groups", "search"))
    at_step: Field[int] = Field(0, url="step", parse=_within(0, 1_000_000_000, int))
    """The training step whose completions are shown, 0 for the latest."""
    at_group: Field[int] = Field(1, url="group", parse=_within(1, 1_000_000, int))
    at_completion: Field[int] = Field(0, url="completion", parse=_within(0, 1_000_000, int))
    """Which group of the step, and which completion of the group stands out (0 for none), both counted from 1."""
    differences: Field[bool] = Field(False, url="differences", parse=lambda text: text == "True")
    rollout_text: Field[str] = Field("", url="text", longest=_SEARCH_CHARACTERS)
    rollout_verdict: Field[Verdict] = Field("", url="verdict", parse=_choice(Verdict))
    rollout_reward: Field[str] = Field("", url="reward")
    rollout_level: Field[Level] = Field("", url="level", parse=_choice(Level))
    rollout_order: Field[Order] = Field("newest", url="order", parse=_choice(Order))
    """These five are `rollout_pages.Asked`."""
    rollout_pages: Field[tuple[Asked, tuple[Key, ...]]] = Field((Asked(), ()))
    """What was asked, and where the pages begin that were turned to since, the present one last."""
    _address: Field[Address] = Field(Address())
    going: Field[Going | None] = Field(None)
    told: Field[Told | None] = Field(None)
    """What the session has been told of jobs, `None` before it was told anything."""
    viewed_run: Field[str] = Field("")
    """The run that these were chosen for."""
    preset: Field[str] = Field("demo", url="preset")
    """The preset that the launch form begins with."""
    launch_from: Field[str] = Field("", url="from", followed=False)
    """The run whose configuration the launch form begins with instead, empty for the preset."""
    launch_changes: Field[Changes] = Field({}, url="set", parse=parse_changes, write=write_changes, longest=ADDRESS_CHARACTERS)
    """What was changed in the launch form; never changed in place."""
    launch_shelf: Field[Mapping[str, Changes]] = Field({})
    """The changes made to other presets and runs, kept for when one comes back to them."""
    launch_subset: Field[str] = Field("", url="train_on")
    """The subset to train on, `launch_changes.WHOLE` for none; empty for what the preset or run says."""
    launch_backend: Field[str] = Field("local", url="backend")
    """One of `training.backends.registry.backend_names`."""
    evaluate_part: Field[str] = Field("compare", url="part", parse=_one_of("compare", "measure", "ask"))
    evaluated: Field[str] = Field("", url="evaluated")
    """The id of the evaluation of a model alone that is compared; empty for the run's evaluations."""
    evaluations: Field[tuple[str, ...]] = Field((), url="evaluations", parse=_texts, write=_joined)
    """The evaluations side by side, as `<job>:<label>`; empty for the run's own."""
    compare_base: Field[str] = Field("", url="base")
    compare_against: Field[str] = Field("", url="against")
    """The two that are compared problem by problem; empty for the first and the last."""
    article: Field[bool] = Field(False, url="article", parse=lambda text: text == "True")
    """Whether the article's own figures stand beside."""
    change_measure: Field[str] = Field("", url="measure")
    change_kind: Field[str] = Field("gained", url="change")
    answered: Field[str] = Field("", url="answered")
    """The problem whose completions are shown side by side."""
    play_model: Field[str] = Field("", url="ask")
    """The checkpoint's folder or the model that is asked; empty for the newest checkpoint."""
    play_question: Field[str] = Field("", longest=LONG_TEXT_CHARACTERS)
    play_gold: Field[str] = Field("")
    play_system: Field[str] = Field(SYSTEM_PROMPT, longest=LONG_TEXT_CHARACTERS)
    play_temperature: Field[float] = Field(0.0)
    play_samples: Field[int] = Field(1)
    play_length: Field[int] = Field(200)
    """What is asked, and how."""
    exchange: Field[Any] = Field(None)
    """The `training.jobs.playground.Exchange` whose answers are shown."""

    bench_completion: Field[str] = Field("", longest=100_000)
    bench_gold: Field[str] = Field("")
    """What the reward bench scores."""

    @property
    def page(self) -> str:
        """The path of the page that is shown, empty for the first."""
        return self._address.page or ""

    @property
    def parameters(self) -> AtlasParameters:
        """Which map of the source is shown."""
        return AtlasParameters(self.model, self.neighbors, self.min_dist, self.seed, self.compare_with)

    @property
    def filters(self) -> Filters:
        """Which problems are in question."""
        return Filters(self.split, self.steps, self.clusters, self.subset, self.query, self.query_mode, self.where)

    @property
    def run_filter(self) -> RunFilter:
        """Which runs the list shows."""
        return RunFilter(self.run_search, self.run_statuses, self.run_tags, self.run_archived)

    @property
    def asked(self) -> Asked:
        """Which completions of a run are looked for."""
        return Asked(self.rollout_text, self.rollout_verdict, self.rollout_reward, self.rollout_level, self.rollout_order)

    def bind(self, field: "Field[Any]", key: Keys) -> dict[str, Any]:
        """The keyword arguments that make a widget show and edit a field."""
        value = field.__get__(self, State)
        # A list, as such widgets give back: a tuple would count as changed, and its callback undo what a button just did.
        st.session_state[key] = list(value) if isinstance(value, tuple) else value

        def take() -> None:
            value = st.session_state[key]
            if isinstance(value, list):  # widgets that hold several values
                value = tuple(value)
            field.__set__(self, field.default if value is None else value)

        return {"key": key, "on_change": take}

    def bind_text(self, field: "Field[str]", key: Keys) -> dict[str, Any]:
        """`bind` for a field in which one writes: no more than it may hold is taken, whatever is sent."""
        return self.bind(field, key) | {"max_chars": field.longest}

    def read_url(self, page: str) -> None:
        """Take over what the address says if a person has changed it; what makes no sense is left.

        A link changes the fields that it names. Going back or forward brings back what the page showed then, also what the
        address left out. An address that this session wrote itself, the latest or one that the browser had not yet replaced
        when it asked, is no news: what was chosen in the page holds.

        Args:
            page: which page the address is of.
        """
        address = st.query_params.to_dict()
        memory = self._address
        if page == memory.page and address == memory.shown:
            return
        context = get_script_run_ctx()
        goes_back = context is not None and context.is_history_navigation
        if page == memory.page and not goes_back and memory.has_just_replaced(address):
            return
        if goes_back:
            for name in memory.fields.get(page, frozenset()) - address.keys():
                field = _url_fields()[name]
                field.__set__(self, field.default)
        self._take(address, is_link=memory.page is not None and not goes_back)
        self._address = replace(memory, page=page, shown=address, replaced=())

    def _take(self, address: Mapping[str, str], *, is_link: bool) -> None:
        """Set the fields that an address names; a value that is longer than the field may be makes no sense."""
        fields = _url_fields()
        address = {name: text for name, text in address.items() if name in fields and len(text) <= fields[name].longest}
        if str(State.run.url) in address:  # before its step and group, which the address may name too
            self.open_run(address[str(State.run.url)])
        for name, text in address.items():
            if fields[name].followed or not is_link:
                with suppress(ValueError):
                    fields[name].__set__(self, fields[name].parse(text))

    def address(self, *fields: "Field[Any]") -> dict[str, str]:
        """What an address says of these fields, defaults left out."""
        values = {field: field.__get__(self, State) for field in fields}
        return {str(field.url): field.write(value) for field, value in values.items() if value != field.default}

    def write_url(self, *fields: "Field[Any]") -> None:
        """Make the address show these fields, defaults left out, and nothing else."""
        shown = self.address(*fields)
        memory = self._address
        known = memory.fields.get(memory.page or "", frozenset()) | {str(field.url) for field in fields}
        self._address = memory = replace(memory, fields={**memory.fields, memory.page or "": known})
        if shown != memory.shown:
            self._address = replace(memory, shown=shown, replaced=((time.monotonic(), memory.shown), *memory.recent()))
        if st.query_params.to_dict() != shown:
            st.query_params.from_dict(shown)

    def clear_filters(self) -> None:
        """All problems are in question again."""
        self.split, self.steps, self.clusters, self.where, self.subset, self.query = "", (), (), (), "", ""

    def clear_selection(self) -> None:
        """Nothing is selected on the map."""
        self.selected, self.picked = (), ()

    def open_run(self, run_id: str) -> None:
        """Begin with a run at its latest step, unless it is the one that was open before or that the address is about."""
        if self.viewed_run not in ("", run_id):
            chosen: tuple[Field[Any], ...] = (
                State.curve_window,
                State.at_step,
                State.at_group,
                State.at_completion,
                State.map_step,
                State.map_problem,
            )
            for field in chosen:
                field.__set__(self, field.default)
        self.viewed_run = run_id

    def show_all_runs(self) -> None:
        """The list of runs leaves none out."""
        self.run_search, self.run_statuses, self.run_tags, self.run_archived = "", (), (), True

    def forget_problems(self) -> None:
        """Drop what refers to problems of a source that is no longer shown."""
        self.clear_filters()
        self.clear_selection()
        self.problem = ""


@cache
def _url_fields() -> Mapping[str, "Field[Any]"]:
    """By their names in the address."""
    return {field.url: field for field in vars(State).values() if isinstance(field, Field) and field.url}
