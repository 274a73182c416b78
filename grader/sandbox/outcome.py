"""The end of a run as the trusted side sees it from outside, and the interface of everything that can run one."""

from __future__ import annotations

import signal
from typing import NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from grader.sandbox.limits import Limits
from grader.sandbox.requests import Kind


class Use(NamedTuple):
    """The use of runs: CPU time, and wall time without the time spent waiting for a core."""

    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0

    def plus(self, other: Use) -> Use:
        return Use(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def less(self, other: Use) -> Use:
        """Subtract, and stop at zero."""
        return Use(*(max(0.0, mine - theirs) for mine, theirs in zip(self, other, strict=True)))


class Mechanism(NamedTuple):
    """One mechanism of the wall: whether it is in force, and what it stops."""

    enforced: bool
    stops: str


class Outcome(BaseModel):
    """The bytes that a run left on its pipes, and its supervisor's account of its end. Nothing here is trusted yet."""

    model_config = ConfigDict(frozen=True)

    result: bytes
    stdout: bytes = b""
    stderr: bytes = b""
    truncated: bool = False
    exit_code: int = 0
    killed_for: str | None = None  # wall, cpu, memory, threads, disk, output, starved, budget
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    # The part of them in which the run was paused or had no core.
    missed_seconds: float = 0.0
    # The time in which it neither computed nor wanted a core, of earlier tries too.
    idle_seconds: float = 0.0
    # The use of earlier tries of the same run and, with BudgetedSandbox, of earlier runs too.
    earlier: Use = Use()
    # The cost of starting the device, which is not the submission's use.
    overhead: Use = Use()
    facts: dict[str, str] = {}  # versions, from the warm process
    wall: list[str] = []  # mechanisms in force

    @property
    def use(self) -> Use:
        """Return the use of this try alone."""
        return Use(self.cpu_seconds, self.wall_seconds).less(self.overhead).less(Use(0.0, self.missed_seconds))

    @property
    def killed_by_others(self) -> bool:
        """Return whether a SIGKILL that was not ours ended it: by the kernel (memory), an operator, or itself."""
        return self.killed_for is None and self.exit_code == -signal.SIGKILL


class Sandbox(Protocol):
    """Runs one request in a process of its own."""

    def run(self, kind: Kind, request: bytes, limits: Limits) -> Outcome:
        """Run `request` to its end. This may take more than one try; each has these limits.

        Raises:
            SandboxError: the box itself failed; this says nothing about the submission.
        """
        ...
