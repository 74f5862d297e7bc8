"""Whether a request can only come from this machine's own pages: by its headers alone. Nothing here knows Streamlit.

A server that listens on a loopback address is still reached by pages of other sites: by a name of theirs that they make
resolve to that address (DNS rebinding), and from another port of this machine. A browser tells both by headers that a page
cannot change: Host is the name that was asked for, Origin the page that asks.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import urlsplit

_BY_A_PROXY = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"})
"""What only a proxy adds: behind one Host may be the proxy's own."""


def is_loopback(address: str | None) -> bool:
    """Whether a server that listens on it can be reached from its own machine only; without an address it listens on all."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def is_own_request(headers: Iterable[tuple[str, str]]) -> bool:
    """Whether it asks by a name of this machine, for a page from here or for none, and not through a proxy.

    A request without Host and Origin is none of a browser.
    """
    found = defaultdict(list)
    for name, value in headers:
        found[name.lower()].append(value)
    hosts, origins = found["host"], found["origin"]
    if len(hosts) > 1 or len(origins) > 1 or not _BY_A_PROXY.isdisjoint(found):
        return False
    return all(is_loopback(_name(host)) for host in hosts) and all(is_same_server(origin, hosts) for origin in origins)


def is_same_server(origin: str, hosts: Iterable[str]) -> bool:
    """Whether the page of an Origin header was loaded from the server that a Host header names, port included."""
    scheme, _, server = origin.lower().partition("://")
    return scheme in ("http", "https") and [server] == [host.lower() for host in hosts]


def _name(host: str) -> str | None:
    """The name or address in a Host header, with or without a port; `None` where the header is no such thing."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises where it is none
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None
