"""A completion's tokens under two models: coloured text, what training changed, where two completions part, a table."""

import math
import time
from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import data, token_figure
from dashboard.access import acts, may_act
from dashboard.actions import score_tokens, stop_model
from dashboard.components.run.token_text import render_token_text
from dashboard.components.shared.completions import render_question
from dashboard.components.shared.errors import boundary, fragment, render_error
from dashboard.components.shared.table import fitted_height, render_table
from dashboard.evaluation_catalogue import model_title
from dashboard.keys import Keys
from dashboard.memory import BEGINNING, NEWEST, Tokens
from dashboard.state import State
from dashboard.text import plain
from dashboard.token_figure import MEASURES
from training.config import RunConfig
from training.data.problem import Problem
from training.errors import AtlasError
from training.groups import Rollout, Verifier
from training.jobs.playground import Models, Scores
from training.models.beginnings import begun_with
from training.models.checkpoints import recorded_checkpoints
from training.rewards import verifier_of
from training.store import Job
from training.text import duration
from training.tokens.asking import kept_precision, scored_config, token_request
from training.tokens.scores import OTHER_CUT, Scored, first_difference, is_cut_otherwise, whole_of

_POLL_S = 0.5
_KEPT = 8
"""Exchanges that a session keeps; a completion of a thousand tokens takes about 200 kB."""
_TABLE_HEIGHT = 420


def open_tokens(state: State, completion: int) -> None:
    """Show the tokens of a completion of the group that is shown, counted from 1; they are scored at once."""
    state.tokens.shown, state.tokens.asked, state.tokens.beside = True, may_act(), 0
    state.completions.completion = completion


def render_token_view(run: Job, config: RunConfig, rollouts: Sequence[Rollout], problem: Problem | None, state: State) -> None:
    """The view in place of the group's cards.

    Args:
        rollouts: of the group, in their order.
        problem: theirs, `None` when the source no longer has it.
    """
    numbers = [rollout.position + 1 for rollout in rollouts]
    if state.completions.completion not in numbers:
        state.completions.completion = numbers[0]
    with boundary():
        titles = _titles(rollouts, verifier_of(run.spec))
        _render_choices(titles, state)
        scored_config(run)
        render_question(rollouts[0].problem_id, problem)
        models = _render_models(run, config, state)
        wanted = [state.completions.completion, *([state.tokens.beside] if state.tokens.beside else [])]
        chosen = [rollout for number in wanted for rollout in rollouts if rollout.position + 1 == number]
        request = token_request(config, problem, chosen)
        found = next((kept for kept in state.tokens.exchanges if (kept.models, kept.question) == (models, request)), None)
        if found is None and state.tokens.asked and may_act() and not data.playground().doing:
            found = score_tokens(data.playground(), models, request)
            state.tokens.exchanges = (found, *state.tokens.exchanges)[:_KEPT]
        if found is not None and found.future.done():
            _render_exchange(found, chosen, [titles[number] for number in wanted], state)
        elif found is not None or (state.tokens.asked and may_act()):
            fragment(_render_waiting, run_every=_POLL_S)(found)
        else:
            _render_ask(models, state)


def _titles(rollouts: Sequence[Rollout], verifier: Verifier) -> Mapping[int, str]:
    """Number of a completion -> its title."""
    words = {True: "right", False: "wrong", None: "not judged"}
    return {
        rollout.position + 1: f"{rollout.position + 1}, {words[verifier.is_right(rollout.rewards)]}" for rollout in rollouts
    }


def _render_choices(titles: Mapping[int, str], state: State) -> None:
    """Which completion, and which other one beside it."""

    def close() -> None:
        state.tokens.shown = False

    def choose() -> None:
        state.completions.completion = int(st.session_state[Keys.TOKEN_COMPLETION])
        if state.tokens.beside == state.completions.completion:
            state.tokens.beside = 0

    def choose_beside() -> None:
        state.tokens.beside = int(st.session_state[Keys.TOKEN_BESIDE])

    others = [0, *(number for number in titles if number != state.completions.completion)]
    if state.tokens.beside not in others:
        state.tokens.beside = 0
    st.session_state[Keys.TOKEN_COMPLETION] = state.completions.completion
    st.session_state[Keys.TOKEN_BESIDE] = state.tokens.beside
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.button("Back to the group", icon=":material/arrow_back:", on_click=close)
        st.selectbox(
            "Completion", list(titles), format_func=titles.__getitem__, key=Keys.TOKEN_COMPLETION, on_change=choose, width=180
        )
        st.selectbox(
            "Beside it",
            others,
            format_func=lambda number: titles[number] if number else "none",
            key=Keys.TOKEN_BESIDE,
            on_change=choose_beside,
            width=180,
            help="Another completion of the group: the first token in which the two differ is marked.",
        )


def _render_models(run: Job, config: RunConfig, state: State) -> Models:
    """The two models, chosen among the run's checkpoints and what it began with."""
    paths = {checkpoint.step: checkpoint.path for checkpoint in reversed(data.store().checkpoints(run.id))}
    newest = next(iter(paths), BEGINNING)
    steps = [*paths, BEGINNING]
    if state.tokens.model not in (*steps, NEWEST):
        state.tokens.model = NEWEST
    if state.tokens.against not in steps:
        state.tokens.against = BEGINNING

    def title(step: int) -> str:
        if step == NEWEST:
            return f"newest, step {newest:,}" if paths else "none yet: as it began"
        return f"step {step:,}" if step else "as it began"

    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox("Under the checkpoint", [NEWEST, *steps], format_func=title, width=200, **Tokens.model.bind())
        st.selectbox(
            "Against", steps, format_func=title, width=200, help="The model that it is compared with.", **Tokens.against.bind()
        )
        st.segmented_control(
            "Colour", list(MEASURES), format_func=lambda name: MEASURES[name].title, required=True, **Tokens.by.bind()
        )
    began = begun_with(run, data.store(), data.home())
    paths[BEGINNING] = began
    model, against = paths[newest if state.tokens.model == NEWEST else state.tokens.model], paths[state.tokens.against]
    return Models(model, against, config.chat_template, kept_precision(config))


def _render_ask(models: Models, state: State) -> None:
    def ask() -> None:
        state.tokens.asked = True

    known = recorded_checkpoints(data.store())
    names = " and ".join(dict.fromkeys(model_title(name, known) for name in (models.model, models.against)))
    st.button("Score the tokens", type="primary", icon=":material/play_arrow:", on_click=ask, **acts())
    st.caption(plain(f"Loads {names} into the playground's process, which is kept for ten minutes. Nothing is trained."))


def _render_waiting(found: Scores | None) -> None:
    playground = data.playground()
    if found is None and playground.doing:
        st.markdown(f":material/hourglass_top: {plain(f'waits: {playground.doing}')}")
        return
    if found is None or found.future.done():
        st.rerun(scope="app")
    told = f"{playground.doing or 'starting'}, {duration(time.time() - found.asked_at)} so far"
    st.markdown(f":material/hourglass_top: {plain(told)}")
    if st.button("Stop", icon=":material/stop:", **acts(help="Ends the models' process.")):
        stop_model(playground)


def _render_exchange(found: Scores, rollouts: Sequence[Rollout], titles: Sequence[str], state: State) -> None:
    try:
        scored = found.future.result()
    except AtlasError as error:
        render_error(error.problem, error.remedy)
        st.button("Try again", on_click=_forget, args=(found, state), **acts())
        return
    by = state.tokens.by
    measure = MEASURES[by]
    shown = [f"Completion {title}" for title in titles]
    st.caption(f"{measure.help} In nats, at temperature {found.question.temperature:g}, as the run sampled.")
    content = token_figure.text_spec(scored)
    parts_at = first_difference(scored[0].ids, scored[1].ids) if len(scored) > 1 else None
    table_key = f"{Keys.TOKEN_TABLE} {content.revision}"  # rows are chosen by their places
    render_token_text(
        content,
        shown,
        by,
        measure,
        end=token_figure.limit(measure, scored),
        parts_at=parts_at,
        marked=_marked(scored, table_key),
        other=_other(state),
        dark=st.context.theme.type == "dark",
        files=data.web_files(),
        key=Keys.TOKEN_TEXT,
    )
    _render_readings(scored, rollouts, shown, parts_at)
    _render_table(scored, shown, table_key)


def _forget(found: Scores, state: State) -> None:
    state.tokens.exchanges = tuple(kept for kept in state.tokens.exchanges if kept is not found)


def _other(state: State) -> str:
    return f"step {state.tokens.against:,}" if state.tokens.against else "the model as it began"


def _render_readings(
    scored: Sequence[Scored], rollouts: Sequence[Rollout], titles: Sequence[str], parts_at: int | None
) -> None:
    """What the values come to, in words."""
    for found, rollout, title in zip(scored, rollouts, titles, strict=True):
        if is_cut_otherwise(found, rollout.tokens):
            st.warning(plain(f"{title}: {OTHER_CUT.format(rollout.tokens)}"), icon=":material/info:")
    if parts_at is not None:
        st.markdown(plain(parting_line(scored[0], scored[1], parts_at)))
    for found, title in zip(scored, titles, strict=True):
        whole = whole_of(found)
        more, less = (_listed(found, places) for places in token_figure.most_changed(found))
        st.markdown(
            f"**{plain(title)}**: {len(found.ids):,} tokens, log-probability {_figure(whole.logprob)}, "
            f"{_figure(whole.against_logprob)} under the other; KL {_figure(whole.kl)}; mean entropy {_figure(whole.entropy)}. "
            f"More likely: {more}. Less likely: {less}."
        )


def parting_line(one: Scored, other: Scored, place: int) -> str:
    """Where two completions part, and the chance of each way under both models; all before is the same."""

    def way(found: Scored) -> str:
        if place >= len(found.ids):
            return "the other is cut off there"
        chances = [_chance(model.logprob[place]) for model in (found.model, found.against)]
        return f"{token_figure.written(found.shown(place))}, {chances[0]} ({chances[1]} under the other)"

    return f"They part at token {place + 1:,}: here {way(one)}; there {way(other)}."


def _listed(found: Scored, places: Sequence[int]) -> str:
    ratios = found.ratio
    return plain(", ".join(f"{token_figure.written(found.shown(place))} {ratios[place]:+.2f}" for place in places) or "none")


def _chance(logprob: float | None) -> str:
    return "ruled out" if logprob is None else f"{math.exp(logprob):.3g}"


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


def _marked(scored: Sequence[Scored], key: str) -> tuple[int, int] | None:
    """The completion and the place of the row chosen in the table of that key."""
    row = next(iter(st.session_state[key]["selection"]["rows"]), -1) if key in st.session_state else -1
    for completion, found in enumerate(scored):
        if 0 <= row < len(found.ids):
            return completion, row
        row -= len(found.ids)
    return None


def _render_table(scored: Sequence[Scored], titles: Sequence[str], key: str) -> None:
    table = token_figure.token_table(scored, titles)
    number = st.column_config.NumberColumn
    render_table(
        table,
        key=key,
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        height=fitted_height(len(table), _TABLE_HEIGHT),
        column_order=[*(["completion"] if len(scored) > 1 else []), *list(table)[1:]],
        column_config={
            "place": number("token no.", format="localized", width="small"),
            "logprob": number("log-probability", format="%.3f", help="In nats, as all of them."),
            "entropy": number("entropy", format="%.3f"),
            "ratio": number("log-ratio", format="%+.3f"),
            "kl": number("KL", format="%.4f"),
            "likeliest": st.column_config.TextColumn("likeliest there"),
            "other_logprob": number("other: log-probability", format="%.3f"),
            "other_entropy": number("other: entropy", format="%.3f"),
            "other_likeliest": st.column_config.TextColumn("other: likeliest"),
        },
        alt="The tokens with their values; a row chosen is outlined in the text",
    )
