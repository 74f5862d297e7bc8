"""Signing in with an account, at a provider of OpenID Connect that runs here."""

from collections.abc import Callable, Iterator

import pytest
from oidc_provider_mock import User, run_server_in_thread
from playwright.sync_api import Page, expect

from tests.ports import free_port

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

SECRETS = """
[auth]
redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
cookie_secret = "a-secret-of-the-test-and-of-nothing-else"
client_id = "atlas"
client_secret = "atlas"
server_metadata_url = "http://localhost:{provider}/.well-known/openid-configuration"
"""
USERS = (
    User(sub="ada", claims={"email": "ada@example.org", "email_verified": True}),
    User(sub="eve", claims={"email": "eve@example.org", "email_verified": True}),
)


@pytest.fixture(scope="module")
def address(start_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard on which ada may act."""
    port, home = free_port(), tmp_path_factory.mktemp("home")
    with run_server_in_thread(user_claims=USERS) as provider:
        secrets = home / ".streamlit" / "secrets.toml"
        secrets.parent.mkdir()
        secrets.write_text(SECRETS.format(port=port, provider=provider.server_port))
        yield start_app(home, port=port, GRPO_ATLAS_USERS="ada@example.org")


@pytest.mark.parametrize(("user", "may_act"), [("ada", True), ("eve", False)])
def test_an_account_on_the_list_may_launch_and_another_looks_on(address: str, page: Page, user: str, may_act: bool) -> None:
    page.goto(f"{address}/launch")
    launch = page.get_by_role("button", name="Launch the run")
    expect(launch).to_be_disabled()
    page.get_by_test_id("stSidebar").get_by_role("button", name="Sign in").click()
    page.get_by_placeholder("sub").fill(user)
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    said = f"Signed in with {user}@example.org." if may_act else f"You are looking on: {user}@example.org may not act here."
    expect(page.get_by_text(said)).to_be_visible()
    page.goto(f"{address}/launch")  # the cookie says it in a new session too
    expect(launch).to_be_enabled(enabled=may_act)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/end_session**")  # the provider asks on a page of its own
    page.goto(f"{address}/launch")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
