"""The evidence that a check looks at, and the checks' verdicts on it."""

from collections.abc import Mapping
from dataclasses import dataclass

from grader.assignment import Assignment, CheckId
from grader.diagnosis.understanding import Understanding
from grader.execution.execution import Execution
from grader.execution.reading import Reading
from grader.numerics.comparison import NO_ANSWER, Comparison
from grader.report.finding import CheckStatus, Verdict
from grader.report.model import Check
from grader.task2 import Notebook

# The driver's ending for a weight that does not exist yet.
NO_SHAPE = " None"


@dataclass(frozen=True)
class Evidence:
    """One submission's reading and run, and what its numbers mean."""

    assignment: Assignment
    reading: Reading
    execution: Execution
    understanding: Understanding
    # The notebook's own copying and comparing, if the assignment asks for them.
    notebook: Notebook | None = None

    @property
    def exercise(self) -> str:
        """Return the id of the exercise's own case."""
        return self.assignment.cases[0].id

    def comparison(self, case_id: str) -> Comparison:
        return self.understanding.comparisons.get(case_id, NO_ANSWER)


@dataclass(frozen=True)
class Judgement:
    """The evidence, and the verdict of each check on it.

    Args:
        instead_of: the evidence under Keras 3, where Keras 2 is graded because it earned more.
    """

    evidence: Evidence
    verdicts: Mapping[CheckId, Verdict]
    instead_of: Evidence | None = None

    @property
    def checks(self) -> list[Check]:
        """Return the checks as the report has them, in the assignment's own order."""
        return [Check.of(id, points, self.verdicts[id]) for id, points in self.evidence.assignment.points.items()]

    @property
    def points(self) -> float:
        return sum(check.points for check in self.checks)

    def failed(self, id: CheckId) -> bool:
        return id in self.verdicts and self.verdicts[id].status == CheckStatus.FAILED
