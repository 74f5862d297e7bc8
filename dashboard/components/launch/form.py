"""The settings of a run as a form, made from the fields of its stage: their help texts, groups, units and ranges.

The session's changes say what the fields hold, so they survive reruns and other pages; what differs from the preset or run
that the form began with is marked. Ranges are checked by the configuration alone, so that form, command line and files give
the same message.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.components.launch.bench import render_bench
from dashboard.components.launch.mark import MARK, marked, set_value
from dashboard.components.launch.rewards import render_rewards
from dashboard.components.launch.subset import render_subset, subset_settings
from dashboard.components.launch.taught import render_taught
from dashboard.components.shared.panes import CARDS, panes
from dashboard.fields import LONG_TEXT_CHARACTERS, TEXT_CHARACTERS
from dashboard.launch_changes import CHOSEN_ELSEWHERE, LARGE_GROUPS, SIMPLE_GROUPS, Base, batch_words, group_of, is_shown
from dashboard.memory import Launch
from dashboard.state import State
from dashboard.text import plain
from training.settings import SETTINGS, Setting
from training.text import agree, count

_FIELDS_IN_A_ROW = 3
_LONG_TEXTS = ("system_prompt",)
_BATCH = "gradient_accumulation_steps"
"""The last of the three settings that say what a step learns from."""
_FIELD = '[class*="st-key-setting-"]'
_NUMBER = '[data-testid="stNumberInputContainer"]'
_NAMES = "".join(f'.st-key-setting-{name} label p::after {{ content: " {name}"; }}' for name in SETTINGS)
_UNITS = "".join(
    f'.st-key-setting-{setting.name} {_NUMBER}::after {{ content: "{setting.unit}"; }}'
    for setting in SETTINGS.values()
    if setting.unit
)
_STYLE = f"""<style>
{_FIELD} label p::after {{ font-size: .8rem; opacity: .6; overflow-wrap: anywhere; }}
{_FIELD} {_NUMBER}::after {{
  order: 1; align-self: center; padding: 0 .5rem; font-size: .8rem; opacity: .7; white-space: nowrap; }}
{_FIELD} {_NUMBER} > :last-child {{ order: 2; }}
{_NAMES}
{_UNITS}
{_FIELD} {_NUMBER}:has(:placeholder-shown:not([placeholder=""]))::after {{ content: none; }}
</style>"""
"""TRL's names beside the titles, which are so read aloud alone, and units inside the fields, for which Streamlit has no place;
none beside words that stand for no number.
"""


def render_form(base: Base, state: State) -> None:
    """The settings that most runs choose, or all, beginning with the base's values; edits go into `state.launch.changes`."""
    everything = state.launch.everything
    differing = Counter(group_of(setting, everything=everything) for setting in state.launch.changes)
    st.html(_STYLE)
    _render_head(base, state)
    for group, names in _groups(base, state).items():
        changed = differing[group]
        label = f"{group} :{MARK}-badge[{changed} changed]" if changed else group
        is_open = bool(changed) or group in LARGE_GROUPS or not everything
        with st.expander(label, expanded=is_open, key=f"group {group}"):
            if group == "Model and data":
                _render_data(base, state, names)
            elif group == "Rewards":
                render_rewards(base, state)
            else:
                _render_fields(base, state, names)
                if _BATCH in names:
                    st.caption(batch_words(base.values(state.launch.changes)))
        if group == "Rewards" and base.has_rewards:
            values = base.values(state.launch.changes)
            render_bench(values["rewards"], values["answer_form"])
    if not base.has_rewards:
        render_taught(base, state)


def _render_head(base: Base, state: State) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Settings", anchor=False, width="content")
        differing = len(state.launch.changes)
        if differing:
            differ = agree(differing, "differs", "differ")
            st.caption(f":{MARK}[●] {count(differing, 'setting')} {differ} from {plain(base.name)}.", width="stretch")
        else:
            st.caption(f"All as in {plain(base.name)}. What you change is marked.", width="stretch")
        st.toggle(
            "All settings",
            help="Every setting of TRL, PEFT and the program; else those that most runs choose, and what differs.",
            **Launch.everything.bind(),
        )
        if differing:
            st.button(
                "Reset",
                key="reset changes",
                on_click=Launch.changes.reset,
                icon=":material/undo:",
                help=f"Takes every setting back to its value in {plain(base.name)}.",
            )


def _groups(base: Base, state: State) -> dict[str, list[str]]:
    """Group -> its fields that are asked for, in the order in which the configuration names them."""
    everything = state.launch.everything
    values = base.values(state.launch.changes)
    groups: dict[str, list[str]] = {} if everything else {group: [] for group in SIMPLE_GROUPS}
    for name in base.settings:
        asked = is_shown(name, state.launch.changes, values, everything=everything)
        if name != "rewards" and (name in CHOSEN_ELSEWHERE or not asked):
            continue
        fields = groups.setdefault(group_of(name, everything=everything), [])
        fields += [name] if name not in CHOSEN_ELSEWHERE else []
    return groups


def _render_data(base: Base, state: State, names: list[str]) -> None:
    """The model, and what it is trained on; a subset knows its source."""
    names = [name for name in names if name != "source" or not subset_settings(base, state)["subset"]]
    _render_fields(base, state, names)
    render_subset(base, state)


def _render_fields(base: Base, state: State, names: list[str]) -> None:
    short = [name for name in names if name not in _LONG_TEXTS]
    for start in range(0, len(short), _FIELDS_IN_A_ROW):
        some = short[start : start + _FIELDS_IN_A_ROW]
        columns = panes(f"fields {some[0]}", _FIELDS_IN_A_ROW, kind=CARDS, vertical_alignment="bottom")
        for column, name in zip(columns, some, strict=False):
            with column:
                _render_field(base, state, name)
        for setting in (base.settings[name] for name in some if base.settings[name].meanings):
            chosen = state.launch.changes.get(setting.name, base.value(setting.name))
            st.caption(f"{plain(setting.title)} `{chosen}`: {plain(setting.meanings[chosen])}")
    for name in (name for name in names if name in _LONG_TEXTS):
        _render_field(base, state, name)


def _render_field(base: Base, state: State, name: str) -> None:
    setting, key = base.settings[name], f"setting {name}"
    value = state.launch.changes.get(name, base.value(name))
    common: dict[str, Any] = {
        "label": marked(base, state, name, setting.title),
        "help": _help(setting),
        "key": key,
        "on_change": set_value,
        "args": (base, name, key),
    }
    if setting.none:
        common |= {"placeholder": setting.none, "value": None}
    is_none = bool(setting.none) and not value
    st.session_state[key] = None if is_none else list(value) if isinstance(value, tuple) else value
    if setting.choices and isinstance(base.value(name), tuple):
        st.multiselect(options=setting.choices, **common)
    elif setting.choices:
        st.selectbox(options=setting.choices, **common)
    else:
        _WIDGETS["text area" if name in _LONG_TEXTS else type(base.value(name)).__name__](base.value(name), common)


def _help(setting: Setting) -> str:
    """What a setting does and may be, and what each of its values does."""
    allowed = " ".join(part for part in (setting.limits, setting.unit) if part)
    text = f"`{setting.name}`: {setting.description}" + (f" {allowed.capitalize()}." if setting.limits else "")
    if not setting.meanings:
        return text
    return "\n- ".join([f"{text}\n", *(f"`{choice}`: {says}" for choice, says in setting.meanings.items())])


_WIDGETS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "bool": lambda _value, common: st.toggle(**common),
    "int": lambda _value, common: st.number_input(step=1, **common),
    "float": lambda value, common: st.number_input(step=value / 10 or 0.1, format="%g", **common),
    "str": lambda _value, common: st.text_input(max_chars=TEXT_CHARACTERS, **common),
    "text area": lambda _value, common: st.text_area(height=140, max_chars=LONG_TEXT_CHARACTERS, **common),
    "tuple": lambda value, common: st.multiselect(options=_options(value, common["key"]), accept_new_options=True, **common),
}
"""How a setting is asked for, by the type of its value."""


def _options(value: tuple[str, ...], key: str) -> list[str]:
    return list(dict.fromkeys([*value, *st.session_state[key]]))
