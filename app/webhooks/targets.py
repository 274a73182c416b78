"""Where a webhook may lead: not into the network that the service itself stands in.

A client chooses the address and we send the request, so that without care it would reach what only we can reach: a
database, a cloud's metadata, this service itself. A name is looked up once, and only addresses that were looked at are
connected to; a redirect is not followed.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from app.errors import TargetRefused

# Addresses of IPv4 in IPv6 clothes: NAT64 (RFC 6052).
NAT64 = IPv6Network("64:ff9b::/96")


def check_url(url: str, *, private: bool) -> None:
    """What can be seen without looking the name up.

    Args:
        private: whether the operator allows addresses in the own network, and HTTP without TLS.
    Raises:
        TargetRefused: this is no address that a webhook may have.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise TargetRefused(reason="it is not an address") from exc
    if not parts.hostname or port == 0:
        raise TargetRefused(reason="it has no host, or port 0")
    if parts.scheme != "https" and not private:
        raise TargetRefused(reason="it does not begin with https://")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise TargetRefused(reason="it holds a user, a password or #")
    try:
        address = ip_address(parts.hostname)
    except ValueError:
        return
    if not private and not is_public(address):
        raise TargetRefused(reason="it is in a private network")


async def look_up(host: str, port: int, *, private: bool) -> list[str]:
    """The addresses to connect to, the system's first choice first.

    Raises:
        TargetRefused: the name leads to no address, or to one in a private network.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise TargetRefused(reason="the name is not known") from exc
    addresses = [ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]
    if not addresses:
        raise TargetRefused(reason="the name is not known")
    if not private and not all(map(is_public, addresses)):
        raise TargetRefused(reason="the name leads into a private network")
    return list(dict.fromkeys(map(str, addresses)))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether anybody on the internet could reach it; an address inside another one counts for itself."""
    if isinstance(address, IPv6Address):
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast
