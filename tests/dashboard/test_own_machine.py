"""Which requests can only come from this machine's own pages."""

import pytest

from dashboard.own_machine import is_loopback, is_own_request, is_same_server

PORT = ":8501"


def request(host: str | None, origin: str | None = None, **others: str) -> list[tuple[str, str]]:
    """Headers, named as a browser names them."""
    given = {"Host": host, "Origin": origin} | {name.replace("_", "-"): value for name, value in others.items()}
    return [(name, value) for name, value in given.items() if value is not None]


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("127.9.9.9", True),
        ("0.0.0.0", False),
        ("::", False),
        (None, False),
        ("", False),
        ("192.168.0.4", False),
        ("127.0.0.1.example.com", False),
        ("unix:///run/a.sock", False),
    ],
)
def test_only_addresses_of_the_machine_itself_are_loopback(address: str | None, own: bool) -> None:
    assert is_loopback(address) is own


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8501", "127.9.9.9:80", "[::1]", "[::1]:8501"])
def test_a_page_of_this_machine_may_ask_by_any_of_its_names_and_ports(host: str) -> None:
    """A tunnel (`ssh -L 9000:127.0.0.1:8501`) has a port of its own."""
    assert is_own_request(request(host))
    assert is_own_request(request(host, f"http://{host.lower()}"))
    assert is_own_request(request(host, f"https://{host}"))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8501",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "localhost@evil.example",
        "user@localhost",
        "192.168.0.4:8501",
        "0.0.0.0:8501",
        "::1",
        "127.1",
        "2130706433",
        "localhost:x",
        "localhost:99999",
        "localhost/evil",
        "localhost?",
        "localhost#",
        "local\thost",
        " localhost",
        "[::1",
        "",
    ],
)
def test_any_other_name_is_that_of_another_site(host: str) -> None:
    assert not is_own_request(request(host))
    assert not is_own_request(request(host, f"http://{host}"))


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:3000",
        "http://localhost",
        "http://127.0.0.1:8501",
        "http://evil.example",
        "http://evil.example@localhost:8501",
        "http://localhost:8501.evil.example",
        "http://localhost:8501/",
        "chrome-extension://localhost:8501",
        "localhost:8501",
        "null",
        "",
    ],
)
def test_the_page_that_asks_has_to_be_of_the_server_that_is_asked(origin: str) -> None:
    assert not is_own_request(request(f"localhost{PORT}", origin))
    assert not is_same_server(origin, [f"localhost{PORT}"])


def test_what_is_no_browser_sends_neither_header() -> None:
    assert is_own_request(request(None))
    assert not is_own_request(request(None, f"http://localhost{PORT}"))


@pytest.mark.parametrize("name", ["X_Forwarded_For", "X_Forwarded_Host", "X_Forwarded_Proto", "X_Real_IP", "Forwarded", "Via"])
def test_who_comes_through_a_proxy_is_not_at_this_machine(name: str) -> None:
    assert not is_own_request(request(f"localhost{PORT}", **{name: "203.0.113.9"}))


@pytest.mark.parametrize("name", ["Host", "Origin"])
def test_a_header_that_comes_twice_says_nothing(name: str) -> None:
    assert not is_own_request([*request(f"localhost{PORT}", f"http://localhost{PORT}"), (name, "evil.example")])
