"""Addresses within this service to which a browser may be redirected, whatever their source."""

import re
from urllib.parse import parse_qs

HOME = "/"
#: A path from the root of this service. A second slash or a backslash at the start is excluded, because browsers would
#: read a host, and so are the characters that they ignore.
LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]{0,1000}")
#: Pages that are pointless after signing in; launches and frames (`app.http.frames`) begin at a platform.
WAYS_IN = re.compile(r"/(enter|leave|link|lti|oidc|t)(?![^/?#])")
#: An address for a mail: long enough for our pages, but without room for a stranger's message.
MAIL_TARGET = re.compile(r"(/[a-z0-9-]{1,64}){1,8}")


def is_local(address: str) -> bool:
    """Tell whether a redirect to this address stays within this service."""
    return LOCAL.fullmatch(address) is not None


def onward(address: str) -> str:
    """Return the address to open after signing in: this one if it is local, otherwise the first page.

    For a way in, it is the address that its own query names.
    """
    if not is_local(address):
        return HOME
    if WAYS_IN.match(address):
        return onward(parse_qs(address.partition("?")[2]).get("next", [HOME])[0])
    return address


def mail_target(address: str) -> str:
    """Return the address to which a mailed link leads. Anybody may have asked for that mail."""
    return onward(address) if MAIL_TARGET.fullmatch(address) else HOME
