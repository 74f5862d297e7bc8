"""The playground: ask a checkpoint or a model anything, and see every reward of its answers."""

import random
import time

import streamlit as st
from pydantic import ValidationError

from dashboard import data
from dashboard.access import acts
from dashboard.actions import ask_model, stop_model
from dashboard.addresses import Fields
from dashboard.components.shared.completions import cards_html, completion_card, reward_rows
from dashboard.components.shared.errors import boundary, fragment, render_error, shielded
from dashboard.components.shared.model_choice import render_model_choice
from dashboard.components.shared.panes import panes
from dashboard.evaluation_catalogue import model_title
from dashboard.fields import TEXT_CHARACTERS
from dashboard.keys import Keys
from dashboard.memory import Asking
from dashboard.state import State
from dashboard.text import plain
from training.allowed import allowed_model
from training.errors import AtlasError, ConfigError
from training.groups import Verifier
from training.jobs.playground import MOST_SAMPLES, Answers, Models, Question
from training.machines import visible_gpus
from training.models.beginnings import recorded_model
from training.models.checkpoints import recorded_checkpoints
from training.rewards import REWARDS, score_completion
from training.rewards.forms import form_named
from training.settings import SETTINGS
from training.store import TRAINED_KINDS
from training.text import count, duration, shorten

_POLL_S = 0.5


def render_playground(state: State) -> Fields:
    """Model and question on the left, answers on the right; returns the fields that its address shares."""
    asking, answers = panes("ask", [1, 2], gap="large")
    with asking:
        _render_question(state)
    with answers:
        exchange: Answers | None = state.asking.exchange
        waiting = exchange is not None and not exchange.future.done()
        fragment(_render_answers, run_every=_POLL_S if waiting else None)(waiting)
    return (Asking.model,)


def _render_question(state: State) -> None:
    typed, _ = render_model_choice(Keys.PLAY_MODEL, Keys.PLAY_CHECKPOINT, state.asking.model)
    state.asking.model = typed
    _render_take_problem(state)
    st.text_area("Question", height=130, **Asking.question.bind_text())
    gold, temperature = st.columns(2)
    gold.text_input(
        "Gold answer", help="Optional; without it, rewards that compare with gold are left out.", **Asking.gold.bind_text()
    )
    temperature.number_input(
        "Temperature",
        0.0,
        10.0,
        step=0.1,
        format="%g",
        help="0 takes the likeliest token each time.",
        **Asking.temperature.bind(),
    )
    samples, length = st.columns(2)
    samples.number_input("Answers", 1, MOST_SAMPLES, **Asking.samples.bind())
    length.number_input("Longest answer, tokens", 1, 131_072, **Asking.length.bind())
    with st.expander("Prompt"):
        st.text_area("System prompt", height=180, **Asking.system.bind_text())
        turn, template = st.columns(2)
        for column, name, field in (
            (turn, "system_turn", Asking.system_turn),
            (template, "chat_template", Asking.template),
        ):
            setting = SETTINGS[name]
            column.selectbox(setting.title, setting.choices, help=setting.description, **field.bind())
        st.text_input(SETTINGS["answer_form"].title, help=SETTINGS["answer_form"].description, **Asking.form.bind_text())
    same = state.asking.samples > 1 and state.asking.temperature == 0
    if same:
        st.caption("At temperature 0 all answers are the same; raise it, to 1 say, for different ones.")
    _render_ask(state, typed)


def _render_take_problem(state: State) -> None:
    """A problem of the source in the sidebar, instead of typing."""

    def take() -> None:
        problem = data.problems_by_id(state.source).get(str(st.session_state[Keys.PLAY_PROBLEM]).strip())
        if problem is not None:
            state.asking.question, state.asking.gold = problem.question, problem.gold

    def take_any() -> None:
        tests = [problem for problem in data.problems_by_id(state.source).values() if problem.split == "test"]
        if tests:
            st.session_state[Keys.PLAY_PROBLEM] = random.choice(tests).id
            take()

    field, chance = st.columns([3, 2], vertical_alignment="bottom")
    chance.button(
        "Any",
        on_click=shielded(take_any),
        icon=":material/casino:",
        width="stretch",
        help="Any problem of the source's test split.",
    )
    field.text_input(
        "Take a problem",
        key=Keys.PLAY_PROBLEM,
        max_chars=TEXT_CHARACTERS,
        on_change=shielded(take),
        placeholder="test-0",
        help="A problem's id in the source chosen in the sidebar; its question and gold answer are filled in.",
    )
    asked = str(st.session_state.get(Keys.PLAY_PROBLEM, "")).strip()
    if asked and asked not in data.problems_by_id(state.source):
        st.caption(plain(f"The source has no problem {shorten(asked, 40)}; ids read like test-0 or train-12."))


def _render_ask(state: State, typed: str) -> None:
    playground = data.playground()
    busy = bool(playground.doing)
    with st.container(horizontal=True, vertical_alignment="center"):
        unasked = busy or not state.asking.question.strip()
        if st.button("Ask", type="primary", icon=":material/send:", **acts(disabled=unasked)):
            with boundary():
                model = recorded_model(allowed_model(typed, data.store(), data.home()), data.store())
                _refuse_taken_gpu()
                state.asking.exchange = ask_model(
                    playground, Models(model, chat_template=state.asking.template), _question(state)
                )
                st.rerun()
        if busy and st.button("Stop", icon=":material/stop:", **acts(help="Ends the model's process.")):
            with boundary():
                stop_model(playground)
                st.rerun()


def _question(state: State) -> Question:
    try:
        return Question(
            text=state.asking.question,
            system_prompt=state.asking.system,
            system_turn=state.asking.system_turn,
            temperature=state.asking.temperature,
            samples=state.asking.samples,
            max_completion_length=state.asking.length,
        )
    except ValidationError as error:
        wrong = error.errors()[0]
        raise ConfigError(f"{wrong['loc'][0]}: {wrong['msg'].lower()}.", "Correct this value.") from error


def _refuse_taken_gpu() -> None:
    """On a machine with a GPU, runs have it to themselves; a CPU is shared."""
    running = data.store().active_jobs((*TRAINED_KINDS, "evaluate"))
    if running and visible_gpus():
        raise ConfigError(f"{running[0].id} has this machine's GPU.", "Ask again when it has ended, or stop it.")


def _render_answers(was_waiting: bool) -> None:
    exchange: Answers | None = State().asking.exchange
    if exchange is None:
        st.caption(
            "Answers appear here, each with every reward. The model is loaded when it is first asked, "
            "and leaves the memory after ten minutes without a question."
        )
        return
    if not exchange.future.done():
        doing = data.playground().doing or "starting"
        waited = duration(time.time() - exchange.asked_at)  # nobody knows how long an answer gets, so no bar
        st.markdown(f":material/hourglass_top: {plain(f'{doing}, {waited} so far')}")
        return
    if was_waiting:
        st.rerun(scope="app")
    _render_exchange(exchange, State())


def _render_exchange(exchange: Answers, state: State) -> None:
    question, gold = exchange.question, state.asking.gold.strip() or None
    st.caption(plain(f"{model_title(exchange.models.model, recorded_checkpoints(data.store()))}, asked:"))
    st.text(question.text)
    try:
        answers = exchange.future.result()
        form = form_named(state.asking.form)
        scored = [(answer, score_completion(answer.completion, gold, form)) for answer in answers]
    except AtlasError as error:
        render_error(error.problem, error.remedy)
        return
    names = [name for name, reward in REWARDS.items() if gold is not None or not reward.needs_gold]
    cards = [
        completion_card(
            answer.completion,
            gold,
            reward_rows(rewards, names),
            answer.tokens,
            cut_off=answer.cut_off,
            title=f"answer {place}" if len(scored) > 1 else "",
            form=form,
        )
        for place, (answer, rewards) in enumerate(scored, start=1)
    ]
    st.html(cards_html(cards))
    if gold is None:
        st.caption("Without a gold answer, only the rewards that look at the completion alone are shown.")
    elif len(scored) > 1:
        right = sum(Verifier().is_right(rewards) is True for _, rewards in scored)
        st.caption(f"{right} of {count(len(scored), 'answer')} equal gold.")
