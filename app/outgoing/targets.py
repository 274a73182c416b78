"""Checks on the addresses of webhooks and platforms, which must not lead into the service's own network.

A client chooses the address and we send the request. Unchecked, it could reach places that only we can reach: a
database, a cloud's metadata, this service itself. A name is looked up once, and only checked addresses are connected
to. Redirects are not followed.
"""

import asyncio
import contextlib
import socket
import unicodedata
from concurrent.futures import Future, ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from app.errors import AnswerUnusable, TargetRefused

# The rest of IPv6 is reserved for other uses (IANA, "Internet Protocol Version 6 Address Space").
GLOBAL_UNICAST = IPv6Network("2000::/3")
# Reserved for documentation (RFC 9637), unknown to Python 3.11.
DOCUMENTATION = IPv6Network("3fff::/20")
# IPv6 addresses with an IPv4 address in their last 32 bits: NAT64 (RFC 6052), and ISATAP (RFC 5214), which any network
# may use.
NAT64 = IPv6Network("64:ff9b::/96")
ISATAP = (0x00005EFE, 0x02005EFE)
#: A pool of its own, because a name whose servers are silent blocks a thread for half a minute.
THREADS = ThreadPoolExecutor(8, "names")
#: Running lookups, by host. Concurrent requests share them, or those to one platform would take all threads.
_running: dict[str, Future[list[Any]]] = {}
#: The longest host that is quoted in a reason.
HOST_CHARACTERS = 100


def check_url(url: str, *, private: bool) -> None:
    """Check the address as far as possible without looking up its name.

    Args:
        private: whether the operator allows private networks, and HTTP without TLS.
    Raises:
        TargetRefused: this address may receive nothing.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        _ = httpx.URL(url).host  # Reading the host fails for an invalid name after `xn--`.
    except (ValueError, httpx.InvalidURL) as exc:
        raise TargetRefused(reason="it is not an address") from exc
    # Normalized as by resolvers: full-width digits are digits, an ideographic dot is a dot, a final dot is ignored.
    host = unicodedata.normalize("NFKC", parts.hostname or "").replace("\u3002", ".").rstrip(".").lower()
    if not host or port == 0 or "%" in host:
        raise TargetRefused(reason="it has no host, one with %, or port 0")
    if parts.scheme != "https" and not private:
        raise TargetRefused(reason=f"the address of {_quoted(host)} does not begin with https://")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise TargetRefused(reason=f"the address of {_quoted(host)} holds a user, a password or #")
    if private:
        return
    if host == "localhost" or host.endswith(".localhost"):
        raise TargetRefused(reason=f"{_quoted(host)} is this machine")
    try:
        address = ip_address(host)
    except ValueError:
        if _is_short_for_an_address(host):
            raise TargetRefused(reason=f"{_quoted(host)} is a short or unusual form of an address") from None
        return
    if not is_public(address):
        raise TargetRefused(reason=f"{_quoted(host)} is in a private network")


def _quoted(host: str) -> str:
    return "".join(filter(str.isprintable, host))[:HOST_CHARACTERS]


def _is_short_for_an_address(host: str) -> bool:
    """Tell whether the system would parse this host as an IPv4 address: 127.1, 0x7f.1, 0177.0.0.1, 2130706433."""
    try:
        socket.inet_aton(host)
    except (OSError, UnicodeError):
        return False
    return True


async def look_up(host: str, port: int, *, private: bool) -> list[str]:
    """Look up the addresses to connect to, in the system's order of preference.

    Raises:
        TargetRefused: the name leads into a private network.
        AnswerUnusable: the name has no address, which may be temporary.
    """
    if (running := _running.get(host)) is None:
        # The addresses do not depend on the port.
        running = _running[host] = THREADS.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        running.add_done_callback(lambda _: _running.pop(host, None))
    try:
        answer = await _result(running)
    except (OSError, UnicodeError) as exc:
        raise AnswerUnusable(reason=f"the name {_quoted(host)} is not known") from exc
    addresses = [ip_address(str(sockaddr[0])) for *_, sockaddr in answer]
    if not addresses:
        raise AnswerUnusable(reason=f"the name {_quoted(host)} is not known")
    if not private and not all(map(is_public, addresses)):
        raise TargetRefused(reason=f"{_quoted(host)} leads into a private network")
    return list(dict.fromkeys(map(str, addresses)))


async def _result(running: Future[list[Any]]) -> list[Any]:
    """Wait for a shared lookup. A cancelled request does not cancel it for the others."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def end(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # The event loop is closed if the service has stopped meanwhile.
            loop.call_soon_threadsafe(ended.set)

    running.add_done_callback(end)
    await ended.wait()
    return running.result()


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether the address is public. An IPv4 address embedded in an IPv6 one is checked as well."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    if address in NAT64:
        return is_public(last)
    inner = [*([address.sixtofour] if address.sixtofour else []), *(address.teredo or ())]
    if (int(address) >> 32) & 0xFFFFFFFF in ISATAP:
        inner.append(last)
    if inner:
        return address in GLOBAL_UNICAST and all(map(is_public, inner))
    return address in GLOBAL_UNICAST and address not in DOCUMENTATION and address.is_global
