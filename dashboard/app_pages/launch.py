"""Launch: choose a preset, change what matters, start the run."""

import streamlit as st

from dashboard import data
from dashboard.components.errors import render_error
from dashboard.components.launch_form import render_launch_form, render_subset_choice
from dashboard.components.style import render_title
from dashboard.state import Keys, State
from dashboard.text import count, plain, significant
from training.config import RunConfig, load_preset, parse_config, preset_description, preset_paths
from training.errors import AtlasError
from training.launch import launch_run


def summary(config: RunConfig) -> str:
    """What the configuration amounts to."""
    each_step = f"{count(config.groups_per_step, 'problem')} × {count(config.num_generations, 'completion')}"
    in_all = count(config.max_steps * config.completions_per_step, "completion")
    highest = significant(config.maximum_reward)
    return f"{count(config.max_steps, 'step')} of {each_step}, {in_all} in all. The highest total reward is {highest}."


def launch(config: RunConfig) -> None:
    """Start the run and go to its page."""
    state = State()
    state.run = launch_run(data.store(), data.home(), config)
    st.switch_page("app_pages/runs.py", query_params={"run": state.run})


render_title(
    "Launch", "Train a model on your problems with GRPO. The run goes on when you close this page; Runs shows it live."
)
paths = preset_paths(data.home().presets)
preset = st.selectbox("Preset", list(paths), index=list(paths).index("demo"), key=Keys.PRESET)
st.caption(plain(preset_description(paths[preset])))
start = st.container()
try:
    base = load_preset(preset, own=data.home().presets)
    values = render_launch_form(base, render_subset_choice(State()))
    with start:
        config = parse_config(values)
        st.caption(plain(summary(config)))
        if st.button("Launch the run", type="primary", icon=":material/rocket_launch:"):
            launch(config)
except AtlasError as error:
    with start:
        render_error(error.problem, error.remedy)
State().write_url(State.launch_subset)
