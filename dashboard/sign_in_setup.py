"""How signing in was set up where the dashboard was started: a token, a list of users, accounts, or nothing.

Who may act in a session is for `dashboard.access`.
"""

import os

import streamlit as st

from dashboard.own_machine import is_loopback
from training.home import DASHBOARD_TOKEN

TOKEN_CHARACTERS = 16
"""The shortest secret that is taken: a shorter one could be guessed in spite of the waits."""

_taken = ""
"""What `take_token` took."""


def take_token() -> None:
    """Move the token out of the environment, where every process that is started from here would inherit it."""
    global _taken
    _taken = os.environ.pop(DASHBOARD_TOKEN, _taken)


def token() -> str:
    """The secret (`GRPO_ATLAS_TOKEN`), empty where none was set."""
    return os.environ.get(DASHBOARD_TOKEN, _taken).strip()


def takes_token() -> bool:
    """Whether one can sign in with a token."""
    return len(token()) >= TOKEN_CHARACTERS


def users() -> frozenset[str]:
    """The e-mail addresses that may act (`GRPO_ATLAS_USERS`), in lower case; none where every account may."""
    listed = os.environ.get("GRPO_ATLAS_USERS", "").split(",")
    return frozenset(user.strip().casefold() for user in listed if user.strip())


def trusts_this_machine() -> bool:
    """Whether whoever is at this machine may act without signing in: only they reach the server, and nobody is to sign in."""
    return is_loopback(st.get_option("server.address")) and not (token() or users() or _has_accounts())


def _has_accounts() -> bool:
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets
