"""Launch: begin with a preset or a run, change what matters, see what speaks against it, start the run."""

from dashboard.components.launch.form import render_form
from dashboard.components.launch.panel import render_panel
from dashboard.components.launch.presets import find_base, follow_link, render_gallery, write_link
from dashboard.components.shared.errors import boundary
from dashboard.components.shared.panes import panes
from dashboard.components.shared.style import render_title
from dashboard.state import State

state = State()
render_title(
    "Launch", "Train a model on your problems with GRPO. The run goes on when you close this page; Runs shows it live."
)
follow_link(state)
with boundary():
    render_gallery(state)
with boundary():
    base = find_base(state)
    state.launch.changes = base.valid(state.launch.changes)
    form, panel = panes("launch", [2, 1], gap="large")
    with form:
        render_form(base, state)
    with panel:
        render_panel(base, state)
write_link(state)
