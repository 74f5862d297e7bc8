"""Who may act from the pages: launch, stop, delete, measure, ask a model, keep anything. All others look on.

On a loopback address with no sign-in set up, whoever opens the page may act: it is their machine. On any other address, and
wherever a sign-in is set up, only those who signed in may. The address is the one that the server was told to listen on, never
one that a request names; behind a reverse proxy, where the server listens on loopback, a sign-in has to be set up.

Two ways in: accounts (OpenID Connect, Streamlit's own `[auth]` in secrets.toml; `GRPO_ATLAS_USERS` lists the e-mail addresses
that may act, without it every account may) and a shared secret (`GRPO_ATLAS_TOKEN`), which is kept in the session and never
stands in an address. `dashboard.actions` refuses what is not allowed; what the pages disable is only a courtesy.
"""

import hmac
import ipaddress
import math
import os
from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import data
from dashboard.state import State
from training.errors import AtlasError

TOKEN_CHARACTERS = 16
"""The shortest secret that is taken: a shorter one could be guessed in spite of the waits."""
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
    if _token():
        return f"GRPO_ATLAS_TOKEN has fewer than {TOKEN_CHARACTERS} characters: start the dashboard with a longer one."
    return f"Start the dashboard with GRPO_ATLAS_TOKEN, {TOKEN_CHARACTERS} characters or more, or with [auth] in secrets.toml."


def signed_in_as() -> str | None:
    """Who this session is and may act as, `None` for one that may not."""
    if _has_logged_in():
        email = str(st.user.get("email") or "").casefold()
        if not _users():
            return email or "an account"
        # An address that the provider has not verified may be anybody's.
        if email in _users() and str(st.user.get("email_verified", True)).casefold() != "false":
            return email
    return "a token" if State().has_token and takes_token() else None


def signed_out() -> bool:
    """Whether there is a sign-in that this session has not tried with an account."""
    return takes_token() or not _has_logged_in()


def takes_token() -> bool:
    """Whether one can sign in with a token."""
    return len(_token()) >= TOKEN_CHARACTERS


def has_accounts() -> bool:
    """Whether one can sign in with an account: Streamlit then says whether the session has."""
    return "is_logged_in" in st.user


def account_providers() -> list[str]:
    """What `st.login` takes: the names of the providers in secrets.toml, or none of them where there is but one unnamed."""
    section = st.secrets["auth"]
    return [str(name) for name, value in section.items() if isinstance(value, Mapping) and "client_id" in value]


def sign_in(given: str) -> None:
    """Let this session act if it knows the token.

    Raises:
        AccessError: it does not, or too many have tried; then even the right one has to wait.
    """
    is_right = takes_token() and hmac.compare_digest(given.strip().encode(), _token().encode())
    wait_s = data.sign_in_tries().attempt(is_right)
    if wait_s:
        raise AccessError("There were too many wrong tries.", f"Try again in {math.ceil(wait_s)} s.")
    if not is_right:
        raise AccessError("This is not the token.", "Ask who started the dashboard for it.")
    State().has_token = True


def sign_out() -> None:
    """Look on again."""
    State().has_token = False
    if _has_logged_in():
        st.logout()


def sign_in_required() -> bool:
    """Whether only those act who have signed in."""
    return not is_loopback(st.get_option("server.address")) or bool(_token() or _users()) or has_accounts()


def is_loopback(address: str | None) -> bool:
    """Whether a server that listens on it can be reached from its own machine only; without an address it listens on all."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def _has_logged_in() -> bool:
    return has_accounts() and st.user["is_logged_in"] is True


def _token() -> str:
    return os.environ.get("GRPO_ATLAS_TOKEN", "").strip()


def _users() -> frozenset[str]:
    listed = os.environ.get("GRPO_ATLAS_USERS", "").split(",")
    return frozenset(user.strip().casefold() for user in listed if user.strip())
