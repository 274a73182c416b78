"""Masks a secret in a compressed page.

The length of a compressed answer tells an attacker whether some text of theirs also occurs elsewhere in it (BREACH:
Gluck, Harris, Prado, 2013). A secret that looks different in every answer cannot be guessed that way. So it is combined
with as many random bytes, which are put before it.
"""

import secrets


def mask(secret: str) -> str:
    """Return the secret as hexadecimal digits, different ones each time."""
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
