"""A sandbox for tests: replays recorded outcomes and never runs code."""

from collections.abc import Callable

from grader.errors import SandboxUnavailable
from grader.sandbox.limits import Limits
from grader.sandbox.outcome import Outcome
from grader.sandbox.requests import Kind


class InMemorySandbox:
    """Answers each request with the next outcome that was recorded for its kind.

    Args:
        outcomes: per kind, the outcomes (or functions from the request's bytes to one) in the order of use; the last
            one is repeated.
    """

    def __init__(self, outcomes: dict[Kind, list[Outcome | Callable[[bytes], Outcome]]]) -> None:
        self._outcomes = {kind: list(recorded) for kind, recorded in outcomes.items()}
        self.requests: list[tuple[Kind, bytes, Limits]] = []

    def run(self, kind: Kind, request: bytes, limits: Limits) -> Outcome:
        self.requests.append((kind, request, limits))
        recorded = self._outcomes.get(kind)
        if not recorded:
            raise SandboxUnavailable(f"nothing is recorded for {kind.value}")
        outcome = recorded.pop(0) if len(recorded) > 1 else recorded[0]
        return outcome(request) if callable(outcome) else outcome
