"""The evidence that a check looks at, and its verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

from grader.assignment import Assignment
from grader.execution.reading import Reading
from grader.execution.run import Execution
from grader.numerics.comparison import NO_ANSWER, Comparison
from grader.report.model import CheckStatus, Params
from grader.task2 import Notebook

# The driver's ending for a weight that does not exist yet.
NO_SHAPE = " None"


@dataclass(frozen=True)
class Verdict:
    """One check's result: the share of its points that is earned, and why.

    `code` is None for a plain pass; the reader of the report then sees the check's own sentence.
    """

    status: CheckStatus
    earned: float = 0.0
    code: str | None = None
    params: Params = field(default_factory=dict)
    details: Params = field(default_factory=dict)

    @classmethod
    def passed(cls, **details: object) -> Verdict:
        return cls(CheckStatus.PASSED, 1.0, details=details)

    @classmethod
    def failed(
        cls, code: str, params: Params | None = None, details: Params | None = None, *, earned: float = 0.0
    ) -> Verdict:
        return cls(CheckStatus.FAILED, earned, code, params or {}, details or {})

    @classmethod
    def skipped(cls, code: str, params: Params | None = None) -> Verdict:
        return cls(CheckStatus.SKIPPED, 0.0, code, params or {})


@dataclass(frozen=True)
class Evidence:
    """One submission's reading and run, and the verdicts of the checks that came before."""

    assignment: Assignment
    reading: Reading
    execution: Execution
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    # The notebook's own copying and comparing, if the assignment asks for them.
    notebook: Notebook | None = None
    # The evidence under Keras 3, where Keras 2 is graded because it earned more.
    instead_of: Evidence | None = None

    @property
    def exercise(self) -> str:
        """Return the id of the exercise's own case."""
        return self.assignment.cases[0].id

    def comparison(self, case_id: str) -> Comparison:
        return self.execution.comparisons.get(case_id, NO_ANSWER)

    def earned(self, check: str) -> float:
        """Return the share of points that an earlier check earned; 0 when the assignment does not have it."""
        verdict = self.verdicts.get(check)
        return verdict.earned if verdict else 0.0
