"""The form of a run configuration, made from `RunConfig`'s own fields: their help texts, groups and defaults.

Ranges are checked by `RunConfig` alone, so that form, command line and files give the same message.
"""

import types
import typing
from collections.abc import Mapping
from typing import Any

import streamlit as st
from pydantic.fields import FieldInfo

from dashboard import data
from dashboard.components.errors import render_error
from dashboard.state import Keys, State
from dashboard.text import count, plain
from training.config import RunConfig
from training.curation import list_subsets, subset_ids
from training.rewards import REWARDS

_OPEN_GROUPS = ("Model and data", "Size of the run", "Rewards")
_FIELDS_IN_A_ROW = 3
_HIDDEN = ("preset",)
_LONG_TEXTS = ("system_prompt",)


def render_launch_form(base: RunConfig, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting of a run, beginning with a preset's values; returns what the form holds, unchecked.

    Args:
        base: the preset.
        chosen: settings that were chosen elsewhere on the page, so that the form does not ask for them.
    """
    values: dict[str, Any] = {"preset": base.preset, **chosen}
    for group, names in _groups().items():
        with st.expander(group, expanded=group in _OPEN_GROUPS):
            if group == "Rewards":
                values["rewards"] = _render_rewards(base)
                continue
            names = [name for name in names if name not in chosen]
            short = [name for name in names if name not in _LONG_TEXTS]
            for start in range(0, len(short), _FIELDS_IN_A_ROW):
                for column, name in zip(st.columns(_FIELDS_IN_A_ROW), short[start : start + _FIELDS_IN_A_ROW], strict=False):
                    with column:
                        values[name] = _render_field(base, name)
            for name in (name for name in names if name in _LONG_TEXTS):
                values[name] = _render_field(base, name)
    return values


def render_subset_choice(state: State) -> Mapping[str, str]:
    """Whether to train on a saved subset; the settings that follow from it."""
    subsets = {subset.reference: subset for subset in list_subsets(data.store())}
    if state.launch_subset and state.launch_subset not in subsets:
        render_error(f"There is no subset {state.launch_subset}.", "Choose another, or save one on the Explore page.")
        state.launch_subset = ""
    reference = st.selectbox(
        "Train on",
        ["", *subsets],
        format_func=lambda name: f"{name}, {count(subsets[name].size, 'problem')}" if name else "the whole train split",
        help="Subsets are saved on the Explore page, and belong to the source they were taken from.",
        **state.bind(State.launch_subset, Keys.LAUNCH_SUBSET),
    )
    if not reference:
        return {"subset": ""}
    subset = subsets[reference]
    trainable = sum(problem_id.startswith("train-") for problem_id in subset_ids(data.store(), subset))
    st.caption(plain(f"From {subset.source}: {subset.how}. {count(trainable, 'train problem')} of them; test is left whole."))
    return {"subset": reference, "source": subset.source}


def _groups() -> dict[str, list[str]]:
    """Group -> its fields, in the order in which `RunConfig` names them."""
    groups: dict[str, list[str]] = {}
    for name, field in RunConfig.model_fields.items():
        if name not in _HIDDEN:
            groups.setdefault(str(typing.cast(dict[str, Any], field.json_schema_extra)["group"]), []).append(name)
    return groups


def _render_field(base: RunConfig, name: str) -> Any:
    field: FieldInfo = RunConfig.model_fields[name]
    value = getattr(base, name)
    key, label = f"setting {base.preset} {name}", name.replace("_", " ").capitalize()
    kind: Any = field.annotation
    if typing.get_origin(kind) is typing.Literal:
        options = typing.get_args(kind)
        return st.selectbox(label, options, index=options.index(value), help=field.description, key=key)
    renderers: dict[type, Any] = {bool: _toggle, int: _integer, float: _number, str: _text}
    return renderers[kind if isinstance(kind, type) else types.NoneType](label, value, field.description, key, name)


def _toggle(label: str, value: bool, help_text: str, key: str, _name: str) -> bool:
    return st.toggle(label, value=value, help=help_text, key=key)


def _integer(label: str, value: int, help_text: str, key: str, _name: str) -> int:
    return st.number_input(label, value=value, step=1, help=help_text, key=key)


def _number(label: str, value: float, help_text: str, key: str, _name: str) -> float:
    return st.number_input(label, value=value, step=value / 10 or 0.1, format="%g", help=help_text, key=key)


def _text(label: str, value: str, help_text: str, key: str, name: str) -> str:
    widget = st.text_area if name in _LONG_TEXTS else st.text_input
    return str(widget(label, value=value, help=help_text, key=key))


def _render_rewards(base: RunConfig) -> dict[str, float]:
    st.caption("Weight of each reward function in the total; at 0 it is not trained on.")
    weights: dict[str, float] = {}
    names = list(REWARDS)
    for start in range(0, len(names), _FIELDS_IN_A_ROW):
        for column, name in zip(st.columns(_FIELDS_IN_A_ROW), names[start : start + _FIELDS_IN_A_ROW], strict=False):
            reward = REWARDS[name]
            weights[name] = column.number_input(
                f"{reward.title} (at most {reward.maximum:g})",
                value=base.rewards.get(name, 0.0),
                step=0.25,
                format="%g",
                help=reward.description,
                key=f"weight {base.preset} {name}",
            )
    return weights
