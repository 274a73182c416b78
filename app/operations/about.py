"""The description that a grading process gives of itself. Workers store it with each heartbeat, for the status page."""

import contextlib
import os
import platform
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from app.operations.selftest import SelfTest
from app.storage.models import utc_now
from grader.version import grader_version

PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "tf-keras")


@dataclass
class About:
    """A process that grades.

    Attributes:
        slots: the number of submissions that it grades at the same time.
        device: None: the sandbox has not started yet.
        wall: whether each mechanism of the box is in force; None: not known yet.
    """

    slots: int
    device: str | None = None
    wall: Mapping[str, bool] | None = None
    self_test: SelfTest | None = None
    started_at: datetime = field(default_factory=utc_now)

    def as_json(self) -> dict[str, Any]:
        test = self.self_test
        return {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "slots": self.slots,
            "device": self.device,
            "wall": self.wall and dict(self.wall),
            "started_at": self.started_at.isoformat(),
            "grader": grader_version(),
            "versions": versions(),
            "self_test": test
            and {
                "passed": test.passed,
                "has_ended": test.has_ended,
                "proved_at": test.proof and test.proof.isoformat(),
                "failure": test.failure,
            },
        }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages needed for grading, if installed."""
    numbers = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            numbers[name] = version(name)
    return numbers
