"""What a session remembers, behind one typed object, and how its address says it.

Fields that have a name in the address are read from it when a session starts and whenever a person has changed it since, by a
link or by going back, and written back by the page that shows them.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard import memory
from dashboard.fields import AnyField, Field, Group
from dashboard.memory import Completions, Judging, RunMap, ShownRun

RUNS_PAGE = "runs"
"""Path of the page that a link to a run leads to."""
_REPLACED = 64
"""Of so many addresses before the present one a request may still be under way."""

_CHOSEN_FOR_A_RUN: tuple[AnyField, ...] = (
    ShownRun.window,
    Completions.step,
    Completions.group,
    Completions.completion,
    Completions.bin,
    *memory.Tokens.shared(),
    RunMap.step,
    RunMap.problem,
    RunMap.rows,
    Judging.evaluation,
    Judging.page,
    Judging.answer,
)


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
    replaced: tuple[Mapping[str, str], ...] = ()
    """What it was before on this page, the latest first."""
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Page -> the names that it has written so far."""

    def changed(self, shown: Mapping[str, str]) -> "Address":
        """The page has another address now."""
        return self if shown == self.shown else replace(self, shown=shown, replaced=(self.shown, *self.replaced)[:_REPLACED])

    def opened(self, page: str, shown: Mapping[str, str]) -> "Address":
        """An address was followed."""
        return self.changed(shown) if page == self.page else replace(self, page=page, shown=shown, replaced=())

    def written(self, shown: Mapping[str, str], names: frozenset[str]) -> "Address":
        """The page has written its address, of these names."""
        page = self.page or ""
        return replace(self.changed(shown), fields={**self.fields, page: self.fields.get(page, frozenset()) | names})


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


class State(Group):
    """The session's memory. Holds nothing itself, so it can be made wherever it is needed."""

    source = Field("auto", "source")
    """What `load_problems` takes: auto, demo, hub or a path."""
    mapped_source = Field("")
    """What the dialog about a source asks for; taken by the next run, before the fields that say it are drawn."""
    source_error = Field("")
    """Why the source asked for last was not taken, empty when it was."""
    store_away = Field(False)
    """Whether the run store could not be reached when the sidebar last looked."""
    going: Field[Going | None] = Field(None)
    told: Field[Told | None] = Field(None)
    """What the session has been told of jobs, `None` before it was told anything."""
    address: Field[Address] = Field(Address())

    sign_in = memory.SignIn()
    parameters = memory.MapParameters()
    look = memory.MapLook()
    filters = memory.Filtering()
    selection = memory.Selection()
    workbench = memory.Workbench()
    run_list = memory.RunList()
    compared = memory.Compared()
    studied = memory.Studied()
    shown = memory.ShownRun()
    run_map = memory.RunMap()
    log = memory.RunLog()
    completions = memory.Completions()
    tokens = memory.Tokens()
    search = memory.Search()
    judging = memory.Judging()
    launch = memory.Launch()
    evaluated = memory.Evaluated()
    scaled = memory.Scaled()
    asking = memory.Asking()
    bench = memory.Bench()

    @property
    def page(self) -> str:
        """The path of the page that is shown, empty for the first."""
        return self.address.page or ""

    def read_url(self, page: str) -> None:
        """Take over what the address says if a person has changed it; what makes no sense is left.

        A link changes the fields that it names. Going back or forward brings back what the page showed then, also what the
        address left out. An address that the page had before is no news, as the browser asked before it knew of the latest:
        what was chosen in the page holds.

        Args:
            page: which page the address is of.
        """
        address, known = st.query_params.to_dict(), self.address
        goes_back = _goes_back()
        if page == known.page and (address == known.shown or (address in known.replaced and not goes_back)):
            return
        if goes_back:
            for name in known.fields.get(page, frozenset()) - address.keys():
                url_fields()[name].reset()
        self._take(address, is_link=known.page is not None and not goes_back)
        self.address = known.opened(page, address)

    def _take(self, address: Mapping[str, str], *, is_link: bool) -> None:
        """Set the fields that an address names; a value that is longer than the field may be makes no sense."""
        fields = url_fields()
        address = {name: text for name, text in address.items() if name in fields and len(text) <= fields[name].longest}
        if ShownRun.run.url in address:  # before its step and group, which the address may name too
            self.open_run(address[ShownRun.run.url])
        elif memory.Studied.study.url in address:
            ShownRun.run.reset()
        for name, text in address.items():
            if fields[name].followed or not is_link:
                with suppress(ValueError):
                    fields[name].set(fields[name].parse(text))

    def write_url(self, *fields: AnyField) -> None:
        """Make the address show these fields, defaults left out, and nothing else."""
        shown = address_of(*fields)
        self.address = self.address.written(shown, frozenset(field.url for field in fields))
        if st.query_params.to_dict() != shown:
            st.query_params.from_dict(shown)

    def query_of_run(self, run_id: str) -> dict[str, str]:
        """The query of a link to a run at its latest step.

        Within a page the browser does not show the address of a link that is followed, and what it asks for next would still
        name the address before. There the link names a default, which the page leaves out of all that it writes: so the
        address is news although it is of the same run, and the page writes its own at once.
        """
        step = Completions.step
        return {ShownRun.run.url: run_id} | ({step.url: step.write(step.default)} if self.page == RUNS_PAGE else {})

    def open_run(self, run_id: str) -> None:
        """Begin with a run at its latest step, unless it is the one that was open before or that the address is about."""
        if self.shown.chosen_for not in ("", run_id):
            for chosen in _CHOSEN_FOR_A_RUN:
                chosen.reset()
        self.shown.chosen_for = run_id

    def forget_problems(self) -> None:
        """Drop what refers to problems of a source that is no longer shown."""
        self.filters.clear()
        self.selection.clear()
        self.selection.problem = ""


def address_of(*fields: AnyField) -> dict[str, str]:
    """What an address says of these fields, defaults left out."""
    return {field.url: field.write(field.get()) for field in fields if field.get() != field.default}


@cache
def url_fields() -> Mapping[str, AnyField]:
    """All that an address can name, by their names in it."""
    groups = [State(), *(group for group in vars(State).values() if isinstance(group, Group))]
    return {field.url: field for group in groups for field in group.shared()}


def _goes_back() -> bool:
    """Whether the browser's Back or Forward led here, which Streamlit tells its own widgets only."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation
