"""A run's completions: one step's groups side by side, or all that hold a text or earned a reward, page by page."""

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import data
from dashboard.components.map.place_on_map import render_place
from dashboard.components.run.against_gold import render_against_gold
from dashboard.components.shared.completions import DROPPED, card_html, cards_html, render_group, render_question
from dashboard.components.shared.panes import CARDS, panes
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
from training.text import count

_BROWSE = {"groups": "By step", "search": "Search", "gold": "Against gold"}
_VERDICTS = {"": "All", "right": "Right", "wrong": "Wrong", "cut off": "Cut off", "dropped": "Not learnt from"}
_LEVELS = {"": "Any value", "full": "Its maximum", "part": "Some of it", "none": "Nothing", "unscored": "Not computed"}
_ORDERS = {"newest": "Newest first", "best": "Highest total", "worst": "Lowest total"}
_BUTTON_GROUPS = 12
"""More groups than this are chosen by number."""
_CARDS_IN_A_ROW = 3


def render_completions(run: Job, config: RunConfig, state: State) -> None:
    """The completions by step, those that are looked for, or those that agree against the gold."""
    last = data.store().last_rollout_step(run.id)
    if not last:
        st.caption("Completions appear with the first step.")
        return
    browse, controls = st.columns([3, 8], vertical_alignment="bottom")
    with browse:
        st.segmented_control("Show", list(_BROWSE), format_func=_BROWSE.__getitem__, required=True, **Completions.browse.bind())
    problems = data.problems_by_id(config.source, config.content_hash)
    with controls:
        if state.completions.browse == "search":
            _render_search_controls(config, state)
        elif state.completions.browse == "groups":
            step = _render_step_choice(run.id, last, state)
    if state.completions.browse == "search":
        _render_found(run.id, config, problems, state)
    elif state.completions.browse == "gold":
        render_against_gold(run, config, problems, state)
    else:
        _render_step(run.id, step, config, problems, state)


def _render_step_choice(run_id: str, last: int, state: State) -> int:
    """The step whose completions are shown; it has some."""

    def follow() -> None:
        state.completions.step, state.completions.completion = (0 if st.session_state[Keys.FOLLOW] else last), 0

    def choose() -> None:
        state.completions.step, state.completions.completion = int(st.session_state[Keys.STEP]), 0

    toggle, slider = st.columns([1, 4], vertical_alignment="bottom")
    st.session_state[Keys.FOLLOW] = not state.completions.step
    toggle.toggle("Latest step", key=Keys.FOLLOW, on_change=follow, help="Off: choose any step.")
    if not state.completions.step:
        return last
    # A resumed run may have gone back behind the step that was chosen.
    st.session_state[Keys.STEP] = min(state.completions.step, last)
    if last > 1:
        slider.slider("Step", 1, last, key=Keys.STEP, on_change=choose)
    return step_with_rollouts(data.store(), run_id, min(state.completions.step, last)) or last


def _render_step(run_id: str, step: int, config: RunConfig, problems: Mapping[str, Problem], state: State) -> None:
    rollouts = data.store().rollouts(run_id, step)
    groups = sorted({rollout.group_index for rollout in rollouts})
    if not groups:
        return
    chooser, compare = st.columns([7, 3], vertical_alignment="bottom")
    with chooser:
        index = _render_group_choice(groups, state)
    compare.toggle(
        "Differences to the best",
        help="Underlined: words that the completion with the highest total has not. Struck out: words that only it has.",
        **Completions.differences.bind(),
    )
    chosen = [rollout for rollout in rollouts if rollout.group_index == index]
    problem = problems.get(chosen[0].problem_id)
    question, place = st.columns([8, 2], gap="medium")
    with question:
        left = f"; not learnt from: {DROPPED[chosen[0].dropped]}" if chosen[0].dropped else ""
        st.caption(f"Step {step:,}, group {groups.index(index) + 1} of {len(groups)}, {count(len(chosen), 'completion')}{left}")
        render_question(chosen[0].problem_id, problem)
    if problem is not None:
        with place:
            render_place(config.source, problem.id, state)
    best = max(chosen, key=lambda rollout: -float("inf") if rollout.total is None else rollout.total)
    render_group(
        _part(chosen, state),
        problem,
        config.reward_weights,
        marked=state.completions.completion - 1,
        best=best.completion if state.completions.differences else None,
        form=form_named(config.answer_form),
    )


def _render_group_choice(groups: Sequence[int], state: State) -> int:
    """The index of the group shown."""

    def choose() -> None:
        state.completions.group, state.completions.completion = int(st.session_state[Keys.GROUP]), 0

    numbers = [index + 1 for index in groups]
    st.session_state[Keys.GROUP] = state.completions.group if state.completions.group in numbers else numbers[0]
    if len(numbers) <= _BUTTON_GROUPS:
        st.segmented_control("Group", numbers, required=True, key=Keys.GROUP, on_change=choose)
    else:
        st.selectbox("Group", numbers, key=Keys.GROUP, on_change=choose, width=160)
    return int(st.session_state[Keys.GROUP]) - 1


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
    text, verdict, reward, level, order = st.columns([3, 2, 2, 2, 2], vertical_alignment="bottom")
    text.text_input("Text", placeholder="so there are", icon=":material/search:", **Search.text.bind_text())
    verdict.selectbox(
        "Outcome",
        list(_VERDICTS),
        format_func=_VERDICTS.__getitem__,
        help=f"Right and wrong are by {title_of(config.verifier).lower()}.",
        **Search.verdict.bind(),
    )
    reward.selectbox("Reward", ["", *names], format_func=lambda name: title_of(name) if name else "Any", **Search.reward.bind())
    level.selectbox(
        "which earned", list(_LEVELS), format_func=_LEVELS.__getitem__, disabled=not state.search.reward, **Search.level.bind()
    )
    order.selectbox("Order", list(_ORDERS), format_func=_ORDERS.__getitem__, **Search.order.bind())


def _render_found(run_id: str, config: RunConfig, problems: Mapping[str, Problem], state: State) -> None:
    asked, turned = state.search.pages
    if asked != state.search.value:
        turned = ()
    page = rollout_page(data.store(), run_id, state.search.value, turned[-1] if turned else None)
    st.caption(_found_line(page, len(turned)))
    span = max([1.0, *(abs(rollout.advantage) for rollout in page.rollouts)])
    for start in range(0, len(page.rollouts), _CARDS_IN_A_ROW):
        some = page.rollouts[start : start + _CARDS_IN_A_ROW]
        for column, rollout in zip(panes(f"found {start}", _CARDS_IN_A_ROW, kind=CARDS), some, strict=False):
            with column:
                _render_found_card(rollout, config, problems.get(rollout.problem_id), span, state)
    _render_turning(page, turned, state)


def _render_found_card(rollout: Rollout, config: RunConfig, problem: Problem | None, span: float, state: State) -> None:
    gold = problem.gold if problem else None
    title = f"Step {rollout.step:,}, group {rollout.group_index + 1}, completion {rollout.position + 1}, {rollout.problem_id}"
    form = form_named(config.answer_form)
    st.html(cards_html([card_html(rollout, gold, config.reward_weights, span, title=title, form=form)]))

    def open_group() -> None:
        state.completions.browse, state.completions.step = "groups", rollout.step
        state.completions.group, state.completions.completion = rollout.group_index + 1, rollout.position + 1

    st.button(
        "Open its group",
        key=f"{Keys.GROUP} {rollout.step} {rollout.group_index} {rollout.position}",
        on_click=open_group,
        type="tertiary",
        icon=":material/arrow_forward:",
    )


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
