"""Proof that a form comes from a page of ours: by the headers of the browser, and by a secret in the page.

The secret is derived from the hash of the session's, which another site can neither read nor guess.
"""

import hmac
import secrets
from urllib.parse import urlsplit

from fastapi import Request

from app.access import sessions
from app.access.tokens import hash_secret
from app.errors import FormExpired, OtherSite
from app.http.auth.sessions import session_sha256
from app.http.frames import is_from_us
from app.services import services

FORM_FIELD = "form_secret"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def form_secret(request: Request) -> str:
    """Return the secret that proves a form to be from a page of ours. Pages hold it masked."""
    return _secret_of(session_sha256(request))


def _secret_of(session_sha256: str) -> str:
    return hash_secret(f"form:{session_sha256}")


def check_origin(request: Request) -> None:
    """Check that a form was sent by a page of ours, by the browser's headers. Programs send none, and have no session.

    Source: the Fetch Standard, "Origin header".
    Raises:
        OtherSite: another site sent it.
    """
    if not is_from_us(request.headers):
        raise OtherSite
    header = request.headers.get("origin")
    if header is None:
        return
    public = urlsplit(services(request).settings.public_url or "")
    ours = [request.headers.get("host", ""), public.netloc]
    try:
        origin = urlsplit(header)
    except ValueError as exc:
        raise OtherSite from exc
    # A proxy may have left the port out of `Host`.
    if not {origin.netloc, origin.hostname} & set(filter(None, ours)):
        raise OtherSite
    # Anybody on the network may have changed a page of our host without TLS.
    if origin.hostname == public.hostname and origin.scheme != public.scheme:
        raise OtherSite


async def check_form_secret(request: Request, masked: object) -> None:
    """Check the secret of a form.

    Raises:
        FormExpired: it is not this session's, nor that of an earlier launch of the same person into the same course.
    """
    secret = unmask(masked) if isinstance(masked, str) else ""
    if _is_same(secret, form_secret(request)):
        return
    async with services(request).database.read() as session:
        earlier = await sessions.other_launches(session, session_sha256(request))
    if not any(_is_same(secret, _secret_of(sha256)) for sha256 in earlier):
        raise FormExpired


def _is_same(secret: str, other: str) -> bool:
    return hmac.compare_digest(secret.encode(), other.encode())


def mask(secret: str) -> str:
    """Return the secret as hexadecimal digits, different ones each time.

    The length of a compressed answer tells an attacker whether some text of theirs also occurs elsewhere in it (BREACH:
    Gluck, Harris, Prado, 2013). A secret that looks different in every answer cannot be guessed that way. So it is
    combined with as many random bytes, which are put before it.
    """
    plain = secret.encode()
    pad = secrets.token_bytes(len(plain))
    return (pad + _combine(pad, plain)).hex()


def unmask(masked: str) -> str:
    """Return the masked secret. Any other text gives a string that matches no secret."""
    try:
        both = bytes.fromhex(masked)
    except ValueError:
        return ""
    half = len(both) // 2
    return _combine(both[:half], both[half:]).decode("utf-8", "replace")


def _combine(pad: bytes, text: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(pad, text, strict=False))
