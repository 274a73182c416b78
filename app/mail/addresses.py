"""E-mail addresses: their syntax, and the comparison of two."""

import contextlib
import re

# "A valid e-mail address" of the HTML Standard, as browsers accept it in a form. It has no spaces, quotes, commas and
# line breaks, so it is safe in a mail header and in a CSV file.
LOCAL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = re.compile(rf"{LOCAL}@{LABEL}(?:\.{LABEL})*")
CHARACTERS = 254


def is_address(text: str) -> bool:
    """Tell whether mail can be sent to it."""
    return len(text) <= CHARACTERS and ADDRESS.fullmatch(text) is not None


def address_of(text: object) -> str | None:
    """Return what somebody else calls an e-mail address, so that mail can be sent to it; None: it is none."""
    address = _in_ascii(text) if isinstance(text, str) else ""
    return address if is_address(address) else None


def domain_of(address: str) -> str:
    """Return the part after the last @, in small letters."""
    return address.rpartition("@")[2].lower()


def comparable(address: str) -> str:
    """Return the address in the form for comparisons: in small letters, because today's mail services ignore the case.

    The domain is as DNS writes it. Nothing else is normalized: at some services, dots and +suffixes distinguish people.
    """
    return _in_ascii(address.strip().lower())


def _in_ascii(address: str) -> str:
    if address.isascii() or len(address) > CHARACTERS:
        return address
    local, _, domain = address.rpartition("@")
    with contextlib.suppress(UnicodeError):
        written = f"{local}@{domain.encode('idna').decode()}"
        return written if is_address(written) else address
    return address
