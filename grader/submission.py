"""A student's file: bytes under a name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

#: How the name of a file of code ends. A student who hands in several kinds means the first.
CODE_SUFFIXES = (".ipynb", ".py", ".txt")


@dataclass(frozen=True)
class Submission:
    """One uploaded file. Only the box parses it."""

    filename: str
    content: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "filename", readable_name(self.filename))

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256, in hex, of the bytes as they came."""
        return hashlib.sha256(self.content).hexdigest()


def readable_name(name: str) -> str:
    """Make a file name valid UTF-8: Python shows a file system's other bytes as surrogates."""
    return name.encode("utf-8", "replace").decode()
