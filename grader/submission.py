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

    @cached_property
    def sha256(self) -> str:
        """Of the bytes as they came, in hex."""
        return hashlib.sha256(self.content).hexdigest()
