"""Who asks, as far as an address tells."""

import ipaddress


def household(address: str | None) -> str:
    """What one asker can choose addresses from: an IPv4 address alone, the network of 64 bits of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found.packed[:8] + bytes(8), 64)))
