"""A run's settings as a table beside those of its preset. Nothing here knows Streamlit."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from dashboard.run_rows import SETTING_NAMES, setting_text
from training.config import RECORDED, StageConfig, StageName
from training.errors import ConfigError
from training.presets import load_preset
from training.settings import SETTINGS_OF
from training.store.run_table import setting_of

DIFFERS = "≠"
"""The mark of a setting that is not its preset's."""


def preset_of(config: StageConfig, own: Path) -> StageConfig | None:
    """The preset that a run began with, as it stands now; `None` where it is gone or has no name.

    Args:
        own: the folder with a person's own presets.
    """
    if not config.preset:
        return None
    try:
        return load_preset(config.preset, own=own)
    except ConfigError:
        return None


def settings_table(config: StageConfig, preset: StageConfig | None, *, only_differing: bool = False) -> pd.DataFrame:
    """One row a setting, in the order of the form: what differs, its value, the preset's, its unit and what it means.

    Args:
        preset: `None` where there is none to hold them against; then nothing is marked.
        only_differing: leave out what is as in the preset.
    """
    values = config.model_dump(mode="json")
    before = values if preset is None else preset.model_dump(mode="json")
    chosen = [name for name in SETTING_NAMES if _is_chosen(name, config.stage)]
    rows = [_row(name, config.stage, values, before, has_preset=preset is not None) for name in chosen]
    shown = [row for row in rows if not only_differing or row["differs"]]
    return pd.DataFrame(shown, columns=list(rows[0]))


def _is_chosen(name: str, stage: StageName) -> bool:
    setting = SETTINGS_OF[stage].get(name.partition(".")[0])
    return setting is not None and setting.group != RECORDED


def _row(
    name: str, stage: StageName, values: Mapping[str, object], before: Mapping[str, object], *, has_preset: bool
) -> dict[str, str]:
    table, _, inner = name.partition(".")
    setting = SETTINGS_OF[stage][table]
    # A reward function that is left out and one of weight 0 are the same.
    value, of_preset = ((setting_of(spec, name) or 0.0) if inner else setting_of(spec, name) for spec in (values, before))
    return {
        "differs": DIFFERS if value != of_preset else "",
        "setting": name,
        "value": setting_text(value),
        **({"in the preset": setting_text(of_preset)} if has_preset else {}),
        "unit": setting.unit,
        "part": setting.group,
        "meaning": f"Weight of this reward function: {inner}." if inner else setting.description,
    }
