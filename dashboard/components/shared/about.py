"""What the program is, on every page: its mark and name above the navigation, and a few lines for who has never seen it."""

from pathlib import Path

import streamlit as st

from training import __version__

_DASHBOARD = Path(__file__).resolve().parents[2]
_NOTEBOOK = "https://colab.research.google.com/github/unslothai/notebooks/blob/main/nb/Llama3.1_(8B)-GRPO.ipynb"
_WORDS = f"""
**See your RL data set as a map, train on it, and watch the learning happen on that map.**

*Explore* shows each problem as a point beside those worded alike, *Insights* what to know before training, *Launch* starts
GRPO, which rewards the better of a model's answers to a problem, *Runs* shows it live, and *Evaluate* what it changed.

It follows the article *LLM Reinforcement Learning with GRPO* (3 March 2025), which trains Llama-3.1-8B on GSM8K after
[Unsloth's notebook]({_NOTEBOOK}); its settings are the preset *article-llama-3.1-8b*, its figures stand on *Evaluate*.

Version {__version__}
"""


def render_mark() -> None:
    """The mark and the name, above the navigation."""
    st.logo(str(_DASHBOARD / "logo.svg"), size="large", icon_image=str(_DASHBOARD / "icon.svg"))


def render_about() -> None:
    """The lines behind a button."""
    with st.popover("What is this?", type="tertiary", icon=":material/help:"):
        st.markdown(_WORDS)
