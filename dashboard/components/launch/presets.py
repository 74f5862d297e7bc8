"""What the launch form begins with: a preset from the gallery, or the stored configuration of a run."""

import re
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard import data
from dashboard.addresses import LAUNCH
from dashboard.components.shared.errors import unexpected
from dashboard.launch_changes import Base
from dashboard.memory import Launch
from dashboard.state import State
from dashboard.text import plain
from training.config import RunConfig
from training.errors import AtlasError, ConfigError
from training.preflight.placement import placement
from training.presets import PRESETS, load_preset, preset_description, preset_paths
from training.store import TRAINED_KINDS
from training.stored_config import stored_config
from training.text import count, shorten

_MODEL_CHARACTERS = 60
_SENTENCE_CHARACTERS = 300
_STYLE = """<style>
.st-key-gallery button { white-space: nowrap; min-height: 0; padding: .15rem .7rem; }
.st-key-gallery [data-testid="stMarkdownContainer"] p { line-height: 1.4; }
</style>"""
_ANYWHERE, _ON_GPU, _OWN = "Runs on any machine", "Needs a GPU", "Yours"
_SENTENCE = re.compile(r".*?[.](?=\s|$)")


@dataclass(frozen=True)
class Card:
    """A preset as the gallery shows it."""

    name: str
    sentence: str
    """What it is; why it cannot be used where `facts` is empty."""
    facts: str
    """Model, steps and where it can run."""
    is_own: bool
    on_cpu: bool

    @property
    def is_usable(self) -> bool:
        return bool(self.facts)

    @property
    def group(self) -> str:
        return _OWN if self.is_own else _ANYWHERE if self.on_cpu else _ON_GPU


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
        if run.kind not in TRAINED_KINDS:
            raise ConfigError(f"{run.id} is not a training run.", "Choose a preset.")
        return Base(stored_config(run.spec), run.id, is_run=True)
    own = data.home().presets
    if state.launch.preset not in preset_paths(own):  # a path would load as well, but not from an address
        raise ConfigError(f"There is no preset {state.launch.preset!r}.", "Choose one of those above.")
    return Base(load_preset(state.launch.preset, own=own), state.launch.preset)


def render_gallery(state: State) -> None:
    """The presets by where they run, and what the chosen one is; or, when a run is duplicated, which."""
    if state.launch.origin:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"Begins with the configuration of **{plain(state.launch.origin)}**.", width="stretch")
            st.button("Choose a preset instead", on_click=begin_with, args=(state, state.launch.preset), key="leave run")
        return
    st.html(_STYLE)
    cards = [_card(name, path) for name, path in sorted(preset_paths(data.home().presets).items())]
    with st.container(key="gallery", border=True, gap="xsmall"):
        for group in (_ANYWHERE, _ON_GPU, _OWN):
            of_group = [card for card in cards if card.group == group]
            if of_group:
                with st.container(horizontal=True, wrap=False, gap="small"):
                    st.caption(group, width=140)
                    with st.container(horizontal=True, gap="xsmall"):
                        for card in of_group:
                            _render_choice(card, state)
        for card in cards:
            if card.name == state.launch.preset or not card.is_usable:
                _render_card(card)


def _render_choice(card: Card, state: State) -> None:
    is_chosen = card.name == state.launch.preset
    st.button(
        plain(card.name),
        key=f"choose {card.name}",
        type="primary" if is_chosen else "secondary",
        help=plain(f"{shorten(card.sentence, _SENTENCE_CHARACTERS)} {card.facts}"),
        on_click=begin_with,
        args=(state, card.name),
        disabled=not card.is_usable,
        width="content",
    )


def _render_card(card: Card) -> None:
    """What a preset is, or why it cannot be used."""
    facts = f"  \n:small[:gray[{plain(card.facts)}]]" if card.facts else ""
    own = " :violet-badge[own]" if card.is_own else ""
    st.markdown(f"**{plain(card.name)}**{own} :small[{plain(shorten(card.sentence, _SENTENCE_CHARACTERS))}]{facts}")


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
    stage = "" if isinstance(config, RunConfig) else f"{config.stage} · "
    facts = f"{stage}{shorten(model, _MODEL_CHARACTERS)} · {count(config.max_steps, 'step')} · {where}"
    return Card(name, described.group() if described else "", facts, is_own, on_cpu=where == "CPU")


def _shelf_key(state: State) -> str:
    return f"run {state.launch.origin}" if state.launch.origin else f"preset {state.launch.preset}"
