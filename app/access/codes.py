"""Codes that people read on one page and type on another: they work once, and not for long. Only hashes are stored."""

import re
import secrets

from app.access.tokens import hash_secret

#: Capitals and digits without those that look alike.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
GROUP_CHARACTERS = 4


def draw_code(groups: int) -> str:
    """Draw a code, such as ``ABCD-EFGH`` for two groups."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP_CHARACTERS)) for _ in range(groups))


def hash_code(typed: str) -> str:
    """Return the hash of a code, typed in any case, with any spaces and dashes."""
    return hash_secret(re.sub(r"[\W_]", "", typed).upper())
