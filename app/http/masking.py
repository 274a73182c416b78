"""Hides a secret that stands in a compressed page.

The length of a compressed answer tells whether what an attacker put into it also stands elsewhere in it (BREACH: Gluck,
Harris, Prado, 2013). A secret that looks different in every answer cannot be guessed that way: it is combined with as
many random bytes, which stand before it.
"""

from __future__ import annotations

import secrets


def mask(secret: str) -> str:
    """The secret as hexadecimal digits, other ones each time."""
    plain = secret.encode()
    pad = secrets.token_bytes(len(plain))
    return (pad + _combined(pad, plain)).hex()


def unmask(came: str) -> str:
    """The secret again; of what `mask` has not made something that is no secret of ours."""
    try:
        both = bytes.fromhex(came)
    except ValueError:
        return ""
    half = len(both) // 2
    return _combined(both[:half], both[half:]).decode("utf-8", "replace")


def _combined(pad: bytes, text: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(pad, text, strict=False))
