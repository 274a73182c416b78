"""Addresses of this service that a browser may be sent to, whoever named them."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

HOME = "/"
#: From the root of this service, without a second slash or a backslash there, which browsers read as a host, and
#: without anything that they drop.
LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]{0,1000}")
#: Pages that are over once somebody is in; launches and frames (`app.http.frames`) begin at a platform.
WAYS_IN = re.compile(r"/(enter|leave|link|lti|oidc|t)(?![^/?#])")
#: An address that goes into a mail: long enough for our pages, and without room for the words of a stranger.
MAILED = re.compile(r"(/[a-z0-9-]{1,64}){1,8}")


def is_local(address: str) -> bool:
    """Tell whether a browser that is sent there stays on this service."""
    return LOCAL.fullmatch(address) is not None


def onward(asked: str) -> str:
    """Return where to go after signing in: the address that was asked for, or the first page in place of any other.

    A way in leads to what its own address names.
    """
    if not is_local(asked):
        return HOME
    if WAYS_IN.match(asked):
        return onward(parse_qs(asked.partition("?")[2]).get("next", [HOME])[0])
    return asked


def mailed(asked: str) -> str:
    """Return where a link leads that is sent by mail, on behalf of anybody who can name an address."""
    return onward(asked) if MAILED.fullmatch(asked) else HOME
