"""Limits on all runs of one submission together."""

from grader.sandbox.limits import Limits
from grader.sandbox.outcome import Outcome, Sandbox, Use
from grader.sandbox.requests import Kind


class BudgetedSandbox:
    """A sandbox for the runs of one submission: tries, both generations of Keras, and runs that only help.

    Each run may use what is left. Together they have as much idle time as one run has wall time: a run that sleeps or
    stops itself holds a slot no longer by being asked again. A run that uses it all up, or finds nothing left, is
    reported as killed for its ``budget``; `Outcome.earlier` then gives the use of the runs before it.
    """

    def __init__(self, sandbox: Sandbox, budget: Use) -> None:
        self._sandbox = sandbox
        self._budget = budget
        self._used = Use()
        self._idle = 0.0

    def run(self, kind: Kind, request: bytes, limits: Limits) -> Outcome:
        """Run as `Sandbox.run` does, within the budget."""
        left = limits.less_idle(self._idle)
        granted = left and left.within(*self._budget.less(self._used))
        if granted is None:
            return Outcome(result=b"", killed_for="budget", earlier=self._used)
        outcome = self._sandbox.run(kind, request, granted)
        self._idle += outcome.idle_seconds
        before, self._used = self._used, self._used.plus(outcome.earlier).plus(outcome.use)
        if granted != limits and outcome.killed_for in ("cpu", "wall"):
            return outcome.model_copy(update={"killed_for": "budget", "earlier": before.plus(outcome.earlier)})
        return outcome
