"""A run's completions: one step's groups side by side, or all that hold a text or earned a reward, page by page."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import streamlit as st

from dashboard import data, run_data
from dashboard.components.map.place_on_map import render_place
from dashboard.components.run.against_gold import render_against_gold
from dashboard.components.run.completion_cards import render_cards
from dashboard.components.run.search_key import render_search_key
from dashboard.components.run.step_glance import render_bin, render_glance
from dashboard.components.run.token_view import open_tokens, render_token_view
from dashboard.components.shared.completions import DROPPED, group_titles, render_group, render_question
from dashboard.keys import Keys
from dashboard.memory import Completions, Search
from dashboard.state import State
from training.config import RunConfig
from training.data.problem import Problem
from training.groups import Rollout
from training.insight.rollout_pages import PAGE, SCANNED, Page, rollout_page, step_with_rollouts
from training.rewards import title_of
from training.rewards.forms import form_named
from training.store import Job
from training.store.ledger import group_rollouts, steps_beside
from training.text import count

_BROWSE = {"groups": "By step", "search": "Search", "gold": "Against gold"}
_VERDICTS = {"": "All", "right": "Right", "wrong": "Wrong", "cut off": "Cut off", "dropped": "Not learnt from"}
_LEVELS = {"": "Any value", "full": "Its maximum", "part": "Some of it", "none": "Nothing", "unscored": "Not computed"}
_ORDERS = {"newest": "Newest first", "best": "Highest total", "worst": "Lowest total"}
_BUTTON_GROUPS = 12
"""More groups than this are chosen by number."""
_SLIDER_PX, _TEXT_PX, _CHOICE_PX = 260, 150, 124


def render_completions(run: Job, config: RunConfig, state: State) -> None:
    """The completions by step, those that are looked for, or those that agree against the gold."""

    def look_for() -> None:
        state.completions.browse, state.completions.looks_for = "search", state.completions.looks_for + 1

    last = data.store().last_rollout_step(run.id)
    if not last:
        st.caption("Completions appear with the first step.")
        return
    field = f".st-key-{Search.text.widget} input"
    render_search_key(field, state.completions.looks_for, look_for)
    problems = data.problems_by_id(config.source, config.content_hash)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.segmented_control("Show", list(_BROWSE), format_func=_BROWSE.__getitem__, required=True, **Completions.browse.bind())
        if state.completions.browse == "search":
            _render_search_controls(config, state)
        elif state.completions.browse == "groups":
            step = _render_step_choice(run.id, last, state)
    if state.completions.browse == "search":
        _render_found(run.id, config, problems, state)
    elif state.completions.browse == "gold":
        render_against_gold(run, config, problems, state)
    else:
        _render_step(run, step, config, problems, state)


def _render_step_choice(run_id: str, last: int, state: State) -> int:
    """The step whose completions are shown; it has some."""

    def go(step: int) -> None:
        state.completions.step, state.completions.completion, state.completions.bin_page = step, 0, 0

    def follow() -> None:
        go(0 if st.session_state[Keys.FOLLOW] else last)

    def choose() -> None:
        go(int(st.session_state[Keys.STEP]))

    shown = step_with_rollouts(data.store(), run_id, min(state.completions.step or last, last)) or last
    st.session_state[Keys.FOLLOW] = not state.completions.step
    st.toggle("Latest step", key=Keys.FOLLOW, on_change=follow, help="Off: choose any step.")
    if state.completions.step:
        # A resumed run may have gone back behind the step that was chosen.
        st.session_state[Keys.STEP] = min(state.completions.step, last)
        if last > 1:
            st.slider("Step", 1, last, key=Keys.STEP, on_change=choose, width=_SLIDER_PX)
    _render_ways("step", steps_beside(data.store(), run_id, shown), go, "Shift+")
    return shown


def _render_ways(what: str, beside: tuple[int | None, int | None], go: Callable[[int], None], modifier: str = "") -> None:
    """The buttons to what is before and after, which arrow keys press too."""
    with st.container(horizontal=True, gap="xsmall", width="content"):
        for place, icon, told in ((0, "Left", "before"), (1, "Right", "after")):
            st.button(
                f":material/chevron_{icon.lower()}:",
                key=f"{what} {icon}",
                shortcut=f"{modifier}{icon}",
                disabled=beside[place] is None,
                on_click=go,
                args=(beside[place],),
                help=f"The {what} {told}.",
            )


def _render_step(run: Job, step: int, config: RunConfig, problems: Mapping[str, Problem], state: State) -> None:
    frame = run_data.step_of(run.id, step)
    if frame.empty:
        return
    groups = sorted(set(frame["group"].tolist()))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        index = _render_group_choice(groups, state)
        st.toggle(
            "At a glance",
            help="What the step's completions earned, and how long they are.",
            disabled=state.tokens.shown,
            **Completions.glance.bind(),
        )
        _render_looks(state)
    if state.completions.glance and not state.tokens.shown:
        render_glance(run, step, frame, state)
    if state.completions.bin is not None:
        render_bin(run, config, step, frame, state.completions.bin, problems, state)
    else:
        chosen = group_rollouts(data.store(), run.id, step, index)
        _render_group(run, config, chosen, f"group {groups.index(index) + 1} of {len(groups)}", problems, state)


def _render_looks(state: State) -> None:
    """How a group is looked at; they stay in their places where something else is shown."""
    elsewhere = state.tokens.shown or state.completions.bin is not None
    st.toggle(
        "Differences to the best",
        help="Underlined: words that the completion with the highest total has not. Struck out: words that only it has.",
        disabled=elsewhere,
        **Completions.differences.bind(),
    )
    st.button(
        "By token",
        key=Keys.TOKENS,
        icon=":material/format_color_text:",
        help="How likely each token was, and what training made of it: of the completion that stands out, or the first.",
        on_click=open_tokens,
        args=(state, max(1, state.completions.completion)),
        disabled=elsewhere,
    )


def _render_group(
    run: Job, config: RunConfig, chosen: Sequence[Rollout], title: str, problems: Mapping[str, Problem], state: State
) -> None:
    problem = problems.get(chosen[0].problem_id)
    if state.tokens.shown:
        render_token_view(run, config, chosen, problem, state)
        return
    question, place = st.columns([8, 2], gap="medium")
    with question:
        left = f"; not learnt from: {DROPPED[chosen[0].dropped]}" if chosen[0].dropped else ""
        st.caption(f"Step {chosen[0].step:,}, {title}, {count(len(chosen), 'completion')}{left}")
        render_question(chosen[0].problem_id, problem)
    if problem is not None:
        with place:
            render_place(config.source, problem.id, state)
    best = max(chosen, key=lambda rollout: -float("inf") if rollout.total is None else rollout.total)
    render_group(
        _part(chosen, state),
        problem,
        config.reward_weights,
        titles=group_titles(chosen),
        marked=state.completions.completion - 1,
        best=best.completion if state.completions.differences else None,
        form=form_named(config.answer_form),
    )


def _render_group_choice(groups: Sequence[int], state: State) -> int:
    """The index of the group shown."""

    def go(number: int) -> None:
        state.completions.group, state.completions.completion, state.completions.bin = number, 0, None

    def choose() -> None:
        go(int(st.session_state[Keys.GROUP]))

    numbers = [index + 1 for index in groups]
    shown = state.completions.group if state.completions.group in numbers else numbers[0]
    st.session_state[Keys.GROUP] = shown
    if len(numbers) <= _BUTTON_GROUPS:
        st.segmented_control("Group", numbers, required=True, key=Keys.GROUP, on_change=choose, width="content")
    else:
        st.selectbox("Group", numbers, key=Keys.GROUP, on_change=choose, width=160)
    place = numbers.index(shown)
    before, after = numbers[place - 1] if place else None, numbers[place + 1] if place + 1 < len(numbers) else None
    _render_ways("group", (before, after), go)
    return shown - 1


def _part(chosen: Sequence[Rollout], state: State) -> Sequence[Rollout]:
    """Of a large group, the page that the marked completion is on, or that was chosen."""
    if len(chosen) <= PAGE:
        return chosen
    starts = list(range(0, len(chosen), PAGE))

    def choose() -> None:
        state.completions.completion = int(st.session_state[Keys.GROUP_PART]) + 1

    st.session_state[Keys.GROUP_PART] = starts[max(0, state.completions.completion - 1) // PAGE % len(starts)]
    st.segmented_control(
        "Completions",
        starts,
        format_func=lambda start: f"{start + 1} to {min(start + PAGE, len(chosen))}",
        required=True,
        key=Keys.GROUP_PART,
        on_change=choose,
    )
    start = int(st.session_state[Keys.GROUP_PART])
    return chosen[start : start + PAGE]


def _render_search_controls(config: RunConfig, state: State) -> None:
    names = list(config.reward_weights)
    if state.search.reward not in names:
        state.search.reward = ""
    st.text_input("Text", placeholder="so there are", icon=":material/search:", width=_TEXT_PX, **Search.text.bind_text())
    choice = partial(st.selectbox, width=_CHOICE_PX)
    choice(
        "Outcome",
        list(_VERDICTS),
        format_func=_VERDICTS.__getitem__,
        help=f"Right and wrong are by {title_of(config.verifier).lower()}.",
        **Search.verdict.bind(),
    )
    choice("Reward", ["", *names], format_func=lambda name: title_of(name) if name else "Any", **Search.reward.bind())
    choice(
        "which earned", list(_LEVELS), format_func=_LEVELS.__getitem__, disabled=not state.search.reward, **Search.level.bind()
    )
    choice("Order", list(_ORDERS), format_func=_ORDERS.__getitem__, **Search.order.bind())


def _render_found(run_id: str, config: RunConfig, problems: Mapping[str, Problem], state: State) -> None:
    asked, turned = state.search.pages
    if asked != state.search.value:
        turned = ()
    page = rollout_page(data.store(), run_id, state.search.value, turned[-1] if turned else None)
    st.caption(_found_line(page, len(turned)))
    render_cards(page.rollouts, config, problems, state)
    _render_turning(page, turned, state)


def _render_turning(page: Page, turned: tuple[tuple[float, int], ...], state: State) -> None:
    def turn(keys: tuple[tuple[float, int], ...]) -> None:
        state.search.pages = (state.search.value, keys)

    with st.container(horizontal=True, gap="small"):
        st.button("Back", key="page back", disabled=not turned, on_click=turn, args=(turned[:-1],))
        following = page.following
        label = "Look further" if page.cut_short else "Next"
        forward = (*turned, following) if following is not None else turned
        st.button(label, key="page next", disabled=following is None, on_click=turn, args=(forward,))


def _found_line(page: Page, turned: int) -> str:
    found = count(len(page.rollouts), "completion")
    if page.cut_short:
        return f"Page {turned + 1:,}: {found} among the {SCANNED:,} looked through; there are more to look through."
    if not page.rollouts:
        return "No completion is like that." if not turned else "No more completions are like that."
    return f"Page {turned + 1:,}: {found}{', the last' if page.following is None else ''}."
