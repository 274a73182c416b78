"""The trusted half of the wall: starts the warm processes, sends them requests, reads back bytes."""

from grader.sandbox.in_memory import InMemorySandbox
from grader.sandbox.launcher import CAN_BE_MISSING, ForkSandbox
from grader.sandbox.limits import Limits
from grader.sandbox.outcome import Kind, Outcome, Sandbox

__all__ = ["CAN_BE_MISSING", "ForkSandbox", "InMemorySandbox", "Kind", "Limits", "Outcome", "Sandbox"]
