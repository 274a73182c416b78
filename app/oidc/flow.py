"""A sign-in in progress, which only the browser stores.

One cookie holds a random secret and the moment at which it ends. State, nonce and PKCE verifier are hashes of it: the
issuer sees the first two and never the cookie, and only the browser with the cookie can use a callback. So nothing is
stored here, and any process can finish a sign-in that another one began. A code works once: the issuer ensures that,
and the cookie is deleted with the sign-in.
"""

import hashlib
import hmac
import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from app.onward import onward

LIFETIME_SECONDS = 600
COOKIE = re.compile(r"(\d{1,12})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_=-]{0,2000})")


@dataclass(frozen=True)
class Flow:
    """A sign-in in progress.

    Attributes:
        cookie: the value of the browser's cookie.
        next: the local address to go to afterwards.
    """

    cookie: str
    next: str

    @property
    def state(self) -> str:
        return self._derived("state")

    @property
    def nonce(self) -> str:
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """The PKCE code verifier: 64 characters (RFC 7636, section 4.1)."""
        return self._derived("verifier")

    def _derived(self, name: str) -> str:
        return hashlib.sha256(f"oidc {name}:{self.cookie}".encode()).hexdigest()

    def fits(self, state: str) -> bool:
        """Tell whether a callback with this state belongs to this sign-in."""
        return hmac.compare_digest(self.state.encode(), state.encode("utf-8", "surrogatepass"))


def begin(next: str) -> Flow:
    """Begin a sign-in that leads to `next` if that is a local address, or else to the first page."""
    local = onward(next)
    expires = int(time.time()) + LIFETIME_SECONDS
    packed = urlsafe_b64encode(local.encode()).decode()
    return Flow(f"{expires}.{secrets.token_urlsafe(32)}.{packed}", local)


def resume(cookie: str) -> Flow | None:
    """Parse the cookie; None: it is not one of ours, or has expired."""
    parts = COOKIE.fullmatch(cookie)
    if parts is None or int(parts[1]) <= time.time():
        return None
    try:
        next = urlsafe_b64decode(parts[3]).decode()
    except ValueError:
        return None
    return Flow(cookie, next) if next == onward(next) else None
