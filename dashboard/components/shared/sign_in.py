"""Signing in, at the foot of the sidebar; nothing is there where nobody has to."""

import streamlit as st
from streamlit.errors import StreamlitAuthError

from dashboard.access import (
    account_providers,
    has_accounts,
    leave_account,
    sign_in,
    sign_in_required,
    sign_out,
    signed_in_as,
    signed_out,
    way_in,
)
from dashboard.components.shared.errors import boundary, render_error
from dashboard.fields import TEXT_CHARACTERS
from dashboard.keys import Keys
from dashboard.sign_in_setup import takes_token
from dashboard.text import plain


def render_sign_in() -> None:
    """Who may act in this session, and the way to."""
    if not sign_in_required():
        return
    leave_account()
    name = signed_in_as()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if name is not None:
            st.caption(f"Signed in with {plain(name)}.", width="stretch")
        elif signed_out():
            st.caption("You are looking on. Sign in to launch, stop or change anything.", width="stretch")
        else:
            account = plain(str(st.user.get("email") or "this account"))
            st.caption(f"You are looking on: {account} may not act here.", width="stretch")
        if name is not None or not signed_out():
            st.button("Sign out", type="tertiary", on_click=sign_out)
    if name is not None:
        return
    if not takes_token() and not has_accounts():
        st.caption(plain(way_in()))
    if has_accounts() and signed_out():
        for provider in account_providers() or [""]:
            _render_account(provider)
    if takes_token():
        _render_token()


def _render_account(provider: str) -> None:
    label = f"Sign in with {plain(provider)}" if provider else "Sign in"
    if st.button(label, key=f"sign in {provider}", icon=":material/login:", width="stretch"):
        try:
            st.login(provider or None)
        except StreamlitAuthError as error:
            render_error(str(error), "Correct [auth] in secrets.toml, or install what it needs: pip install 'streamlit[auth]'.")


def _render_token() -> None:
    with st.form("sign in", border=False, clear_on_submit=True):
        given = st.text_input(
            "Token", type="password", key=Keys.TOKEN, max_chars=TEXT_CHARACTERS, help="What GRPO_ATLAS_TOKEN was set to."
        )
        pressed = st.form_submit_button("Sign in", width="stretch")
    if pressed:
        with boundary():
            with st.spinner("Looking at the token"):  # at once, but for where others guess
                sign_in(given)
            st.rerun()
