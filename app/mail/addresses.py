"""E-mail addresses: which ones are taken, and when two are the same."""

from __future__ import annotations

import re

# "A valid e-mail address" of the HTML Standard: what browsers take in a form. It has no spaces, quotes, commas and line
# breaks, so it can stand in a header of a mail and in a CSV file.
LOCAL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = re.compile(rf"{LOCAL}@{LABEL}(?:\.{LABEL})*")
CHARACTERS = 254


def is_address(text: str) -> bool:
    """Tell whether mail can be sent to it."""
    return len(text) <= CHARACTERS and ADDRESS.fullmatch(text) is not None


def domain_of(address: str) -> str:
    """Return the part after the last @, in small letters."""
    return address.rpartition("@")[2].lower()


def comparable(address: str) -> str:
    """Return the address as it is compared: in small letters, which all mail services of today take for the same.

    Nothing else is folded: dots and +suffixes mean different people at some services.
    """
    return address.strip().lower()
