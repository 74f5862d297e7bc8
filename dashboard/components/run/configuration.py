"""A run's configuration: of one trained here a table beside its preset, of an imported one what is known of it."""

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.memory import ShownRun
from dashboard.run_settings import DIFFERS, preset_of, settings_table
from dashboard.state import State
from dashboard.text import plain
from training.config import StageConfig
from training.imports.logs import LIMITS
from training.presets import preset_text
from training.rewards import title_of
from training.store import Job
from training.stored_config import ImportedConfig
from training.text import agree, count

_MOST_PX = 640


def render_configuration(run: Job, config: StageConfig, state: State) -> None:
    """The settings, those that are not the preset's marked, and the whole of them as a preset."""
    if isinstance(config, ImportedConfig):
        _render_import(run, config)
        return
    preset = preset_of(config, data.home().presets)
    differing = settings_table(config, preset, only_differing=True)
    only_differing = preset is not None and state.shown.differing
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if preset is not None:
            st.toggle("Only what differs", **ShownRun.differing.bind())
        st.download_button(
            "Download as a preset",
            preset_text(config, f"The configuration of {run.id}."),
            file_name=f"{run.id}.toml",
            mime="application/toml",
            key="download preset",
            on_click="ignore",
        )
        st.caption(plain(_against(config, preset, len(differing))), width="content")
    table = differing if only_differing else settings_table(config, preset)
    if len(table):
        _render_table(table)


def _against(config: StageConfig, preset: StageConfig | None, differing: int) -> str:
    """What the settings are held against, in words."""
    if preset is None:
        gone = f"Its preset, {config.preset}, is not here any more" if config.preset else "The run began with no preset"
        return f"{gone}: nothing is marked."
    if not differing:
        return f"Every setting is as in the preset {config.preset}."
    told = f"{count(differing, 'setting')} {agree(differing, 'is', 'are')} not as in the preset {config.preset}"
    return f"{told} as it stands now, marked {DIFFERS}."


def _render_table(table: pd.DataFrame) -> None:
    column = st.column_config
    render_table(
        table,
        hide_index=True,
        height=fitted_height(len(table), _MOST_PX),
        column_config={
            "differs": column.TextColumn("", width=30, pinned=True, help="Not as in the preset."),
            "setting": column.TextColumn(width=190, pinned=True),
            "value": column.TextColumn(width=140),
            "in the preset": column.TextColumn(width=140),
            "unit": column.TextColumn(width=90),
            "part": column.TextColumn(width=170),
            "meaning": column.TextColumn(width=600),
        },
        alt=f"{count(len(table), 'setting')} of the run",
    )


def _render_import(run: Job, config: ImportedConfig) -> None:
    """Where an imported run comes from, how it is read, and what its log cannot say."""
    rewards = ", ".join(f"{title_of(name)} × {weight:g}" for name, weight in config.rewards.items())
    facts = {
        "Log": config.path,
        "Written by": config.layout,
        "Problems": config.source,
        "Rewards": rewards or "none",
        "Right by": title_of(config.verifier),
        "Answers marked by": config.answer_form,
        "Read": run.reason or run.message,
    }
    st.markdown("\n".join(f"- **{name}** {plain(text)}" for name, text in facts.items()))
    st.caption(LIMITS)
