"""What the launch form begins with: a preset from the gallery, or the stored configuration of a run."""

import re
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard import data
from dashboard.addresses import LAUNCH
from dashboard.components.shared.errors import unexpected
from dashboard.components.shared.panes import CARDS, panes
from dashboard.launch_changes import Base
from dashboard.memory import Launch
from dashboard.state import State
from dashboard.text import plain
from training.config import stored_config
from training.errors import AtlasError, ConfigError
from training.preflight.placement import placement
from training.presets import PRESETS, load_preset, preset_description, preset_paths
from training.text import count, shorten

_CARDS_IN_A_ROW = 4
_MODEL_CHARACTERS = 60
_SENTENCE_CHARACTERS = 300
_STYLE = """<style>
[class*="st-key-preset-c"] { padding: .5rem .8rem; }
[class*="st-key-preset-chosen"] { border-color: var(--st-primary-color, #2F87C0); }
[class*="st-key-preset-c"] button { min-height: 0; padding: .1rem .6rem; }
[class*="st-key-preset-c"] p { line-height: 1.35; }
</style>"""
_SENTENCE = re.compile(r".*?[.](?=\s|$)")


@dataclass(frozen=True)
class Card:
    """A preset in the gallery."""

    name: str
    sentence: str
    """What it is, in one sentence; why it cannot be used where `facts` is empty."""
    facts: str
    """Model, steps and where it can run."""
    is_own: bool
    on_cpu: bool

    @property
    def is_usable(self) -> bool:
        return bool(self.facts)


def begin_with(state: State, preset: str = "", run: str = "") -> None:
    """Begin the form with a preset or a run; what was changed elsewhere waits for when one comes back."""
    shelf = {**state.launch.shelf, _shelf_key(state): state.launch.changes}
    state.launch.origin = run
    if preset:
        state.launch.preset = preset
    state.launch.shelf = shelf
    state.launch.changes = shelf.get(_shelf_key(state), {})
    if run:
        state.launch.subset = ""
    write_link(state)


def write_link(state: State) -> None:
    """Make the address show what Launch would be sent to a colleague with."""
    state.write_url(*LAUNCH)


def follow_link(state: State) -> None:
    """Take over which run the address names, though the session began with another preset or run."""
    asked = st.query_params.get(Launch.origin.url, "")
    if asked and asked != state.launch.origin:
        begin_with(state, run=asked)


def find_base(state: State) -> Base:
    """What the form begins with.

    Raises:
        StoreError: there is no such run.
        ConfigError: the preset is not there or cannot be read, or the run's configuration is not one for this program.
    """
    if state.launch.origin:
        run = data.store().job(state.launch.origin)
        if run.kind != "train":
            raise ConfigError(f"{run.id} is not a training run.", "Choose a preset.")
        return Base(stored_config(run.spec), run.id, is_run=True)
    own = data.home().presets
    if state.launch.preset not in preset_paths(own):  # a path would load as well, but not from an address
        raise ConfigError(f"There is no preset {state.launch.preset!r}.", "Choose one of those above.")
    return Base(load_preset(state.launch.preset, own=own), state.launch.preset)


def render_gallery(state: State) -> None:
    """A card for each preset; or, when a run is duplicated, which."""
    if state.launch.origin:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"Begins with the configuration of **{plain(state.launch.origin)}**.", width="stretch")
            st.button("Choose a preset instead", on_click=begin_with, args=(state, state.launch.preset), key="leave run")
        return
    st.html(_STYLE)
    found = sorted((_card(name, path) for name, path in preset_paths(data.home().presets).items()), key=_rank)
    for start in range(0, len(found), _CARDS_IN_A_ROW):
        some = found[start : start + _CARDS_IN_A_ROW]
        for column, card in zip(panes(f"presets {start}", _CARDS_IN_A_ROW, kind=CARDS), some, strict=False):
            with column:
                _render_card(card, state)


def _rank(card: Card) -> tuple[bool, bool, str]:
    """Those that ship first, and of them those that run anywhere."""
    return card.is_own, not card.on_cpu, card.name


def _render_card(card: Card, state: State) -> None:
    chosen = card.name == state.launch.preset
    with st.container(border=True, height="stretch", key=f"preset {'chosen' if chosen else 'card'} {card.name}", gap="xxsmall"):
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall"):
            own = " :violet-badge[own]" if card.is_own else ""
            st.markdown(f"**{plain(card.name)}**{own}", width="stretch")
            if chosen:
                st.badge("chosen", icon=":material/check:", color="blue")
            else:
                st.button(
                    "Choose",
                    key=f"choose {card.name}",
                    on_click=begin_with,
                    args=(state, card.name),
                    disabled=not card.is_usable,
                )
        st.markdown(f":small[{plain(shorten(card.sentence, _SENTENCE_CHARACTERS))}]")
        st.caption(plain(card.facts))


def _card(name: str, path: Path) -> Card:
    """What the gallery shows of a preset; of one that cannot be used why, so that it takes no other away."""
    is_own = path.parent != PRESETS
    try:
        return _described(name, path, is_own=is_own)
    except AtlasError as error:
        told = error.problem
    except Exception as error:
        told = unexpected(f"Reading the preset {name}", error)
    return Card(name, told, "", is_own, on_cpu=False)


def _described(name: str, path: Path, *, is_own: bool) -> Card:
    config = load_preset(str(path))
    described = _SENTENCE.match(preset_description(path))
    model = config.model.rpartition("/")[2] or config.model
    where = placement(config)
    facts = f"{shorten(model, _MODEL_CHARACTERS)} · {count(config.max_steps, 'step')} · {where}"
    return Card(name, described.group() if described else "", facts, is_own, on_cpu=where == "CPU")


def _shelf_key(state: State) -> str:
    return f"run {state.launch.origin}" if state.launch.origin else f"preset {state.launch.preset}"
