"""Who may act from the pages: launch, stop, delete, measure, ask a model, keep anything. All others look on.

On a loopback address with no sign-in set up, whoever opens the page by a name of this machine may act: it is their machine.
A page of another site that reaches it all the same may not (see `own_machine`), nor may anybody through a proxy. On any other
address, and wherever a sign-in is set up, only those who signed in may.

Two ways in: accounts (OpenID Connect, Streamlit's own `[auth]` in secrets.toml; `GRPO_ATLAS_USERS` lists the e-mail addresses
that may act, without it every account may) and a shared secret (`GRPO_ATLAS_TOKEN`), which is kept in the session and never
stands in an address. `dashboard.actions` refuses what is not allowed; what the pages disable is only a courtesy.
"""

import hmac
import math
import time
from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.session_manager import ClientContext

from dashboard import data
from dashboard.client_address import household
from dashboard.own_machine import is_own_request
from dashboard.sign_in_setup import TOKEN_CHARACTERS, takes_token, token, trusts_this_machine, users
from dashboard.sign_in_tries import wait_s_after
from dashboard.state import State
from training.errors import AtlasError

_LOOKING_ON = "You are looking on; this is for those who have signed in."


class AccessError(AtlasError):
    """Whoever asks has not signed in, or what they signed in with is wrong."""


def may_act() -> bool:
    """Whether this session may change anything."""
    return not sign_in_required() or signed_in_as() is not None


def require_act() -> None:
    """Refuse who may not act.

    Raises:
        AccessError: with the way to sign in.
    """
    if not may_act():
        raise AccessError(_LOOKING_ON, way_in())


def acts(*, disabled: bool = False, help: str | None = None) -> dict[str, Any]:
    """`disabled` and `help` of a control that changes something: who may not act sees that, and why."""
    return {"disabled": disabled, "help": help} if may_act() else {"disabled": True, "help": f"{_LOOKING_ON} {way_in()}"}


def way_in() -> str:
    """What to do to be allowed to act, in one or two sentences."""
    if takes_token() or has_accounts():
        return "Sign in at the foot of the sidebar." if signed_out() else "Ask who runs the dashboard for access."
    if token():
        return f"GRPO_ATLAS_TOKEN has fewer than {TOKEN_CHARACTERS} characters: start the dashboard with a longer one."
    if trusts_this_machine():
        return "Open the dashboard by a name of its own machine, such as http://localhost:8501."
    return f"Start the dashboard with GRPO_ATLAS_TOKEN, {TOKEN_CHARACTERS} characters or more, or with [auth] in secrets.toml."


def signed_in_as() -> str | None:
    """Who this session is and may act as, `None` for one that may not."""
    if _has_logged_in():
        email = str(st.user.get("email") or "").casefold()
        if not users():
            return email or "an account"
        # An address that the provider has not verified may be anybody's.
        if email in users() and str(st.user.get("email_verified", True)).casefold() != "false":
            return email
    return "a token" if State().sign_in.has_token and takes_token() else None


def signed_out() -> bool:
    """Whether there is a sign-in that this session has not tried with an account."""
    return takes_token() or not _has_logged_in()


def has_accounts() -> bool:
    """Whether one can sign in with an account: Streamlit then says whether the session has."""
    return "is_logged_in" in st.user


def account_providers() -> list[str]:
    """What `st.login` takes: the names of the providers in secrets.toml, or none of them where there is but one unnamed."""
    section = st.secrets["auth"]
    return [str(name) for name, value in section.items() if isinstance(value, Mapping) and "client_id" in value]


def sign_in(given: str) -> None:
    """Let this session act if it knows the token. Waits for its turn where others guess, see `sign_in_tries`.

    Raises:
        AccessError: it does not, or has been wrong too often; then even the right one has to wait.
    """
    state = State()
    wait_s = state.sign_in.wrong_at + wait_s_after(state.sign_in.wrong) - time.monotonic()
    if wait_s > 0:
        raise AccessError("There were too many wrong tries.", f"Try again in {math.ceil(wait_s)} s.")
    asked = _asked()
    address = household(asked.remote_ip if asked is not None else None)
    _wait_for_turn(address, state.sign_in.wrong)
    if not (takes_token() and hmac.compare_digest(given.strip().encode(), token().encode())):
        data.sign_in_tries().count_wrong(address)
        state.sign_in.wrong, state.sign_in.wrong_at = state.sign_in.wrong + 1, time.monotonic()
        raise AccessError("This is not the token.", "Ask who started the dashboard for it.")
    state.sign_in.has_token, state.sign_in.wrong = True, 0


def sign_out() -> None:
    """Look on again; an account is left by the page, see `leave_account`."""
    state = State()
    state.sign_in.has_token, state.sign_in.signs_out = False, True


def leave_account() -> None:
    """Send who signs out to the provider. Called in each run: the one that comes next takes away what was not sent yet."""
    if State().sign_in.signs_out and _has_logged_in():
        st.logout()


def sign_in_required() -> bool:
    """Whether this session may act only if it has signed in."""
    return not trusts_this_machine() or has_accounts() or not _is_of_this_machine()


def _is_of_this_machine() -> bool:
    """Whether the session was opened from a page of this machine, or there is none."""
    if get_script_run_ctx() is None:
        return True
    asked = _asked()
    return asked is not None and is_own_request(asked.headers)


def _asked() -> ClientContext | None:
    """The request that the session's page made last, `None` where there is no session, or its page has been left."""
    context = get_script_run_ctx()
    client = runtime.get_instance().get_client(context.session_id) if context is not None else None
    return client.client_context if client is not None else None


def _wait_for_turn(address: str, wrong: int) -> None:
    """Return when a try from an address is to be looked at.

    Raises:
        AccessError: the page was left meanwhile.
    """
    context = get_script_run_ctx()
    session, tries = context.session_id if context is not None else "", data.sign_in_tries()
    try:
        while wait_s := tries.wait_s(address, session, wrong):
            if _asked() is None:
                raise AccessError("The page was left.", "Open it again.")
            time.sleep(wait_s)
    finally:
        tries.leave(address, session)


def _has_logged_in() -> bool:
    return has_accounts() and st.user["is_logged_in"] is True
