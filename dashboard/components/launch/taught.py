"""What supervised fine-tuning would teach: the first reference solutions, written in the form that the settings ask for."""

import streamlit as st

from dashboard.components.launch.subset import problems_of, settings_of
from dashboard.components.shared.errors import boundary
from dashboard.launch_changes import Base
from dashboard.state import State
from training.rewards.forms import form_named
from training.rewards.solutions import has_solution, written_solution

_SHOWN = 2


def render_taught(base: Base, state: State) -> None:
    """Folded; what cannot be read or written is said beside the button too."""
    with st.expander("What is taught: a solution as a completion", key="group taught"), boundary():
        settings = settings_of(base, state)
        form = form_named(str(settings["answer_form"]))
        problems = problems_of(str(settings["source"])).of_split("train")
        solved = [problem for problem in problems if has_solution(problem)][:_SHOWN]
        if not solved:
            st.caption("No train problem of this source has a reference solution with a gold answer.")
        for problem in solved:
            st.code(written_solution(problem, form), language=None, wrap_lines=True)
            st.caption(f"The solution of {problem.id}; the question comes before it as the prompt, which is not learnt.")
