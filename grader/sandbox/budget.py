"""Limits on all runs of one submission together."""

from __future__ import annotations

from grader.sandbox.limits import Limits
from grader.sandbox.outcome import Kind, Outcome, Sandbox, Use


class BudgetedSandbox:
    """A sandbox for the runs of one submission: tries, both generations of Keras, and runs that only help.

    Each run may use what is left. One that ends for want of it, or for which nothing is left, was killed for its
    ``budget``; `Outcome.earlier` then says what the runs before it used.
    """

    def __init__(self, sandbox: Sandbox, budget: Use) -> None:
        self._sandbox = sandbox
        self._budget = budget
        self._used = Use()

    def run(self, kind: Kind, request: bytes, limits: Limits) -> Outcome:
        """As `Sandbox.run`."""
        granted = limits.within(*self._budget.less(self._used))
        if granted is None:
            return Outcome(result=b"", killed_for="budget", earlier=self._used)
        outcome = self._sandbox.run(kind, request, granted)
        before, self._used = self._used, self._used.plus(outcome.earlier).plus(outcome.use)
        if granted != limits and outcome.killed_for in ("cpu", "wall"):
            return outcome.model_copy(update={"killed_for": "budget", "earlier": before.plus(outcome.earlier)})
        return outcome
