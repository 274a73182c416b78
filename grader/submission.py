"""What a student handed in: bytes under a name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Submission:
    """One uploaded file. Nothing in here parses it: that is for the box."""

    filename: str
    content: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "filename", readable_name(self.filename))

    @cached_property
    def sha256(self) -> str:
        """Of the bytes as they came, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def readable_name(name: str) -> str:
    """A name from a file system that can be written as UTF-8: bytes that are none are surrogates in Python."""
    return name.encode("utf-8", "replace").decode()
