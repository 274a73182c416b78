"""The engine: grades a submission of the LSTM exercise. Works from a shell with no web service anywhere."""

from grader.assignment import Assignment, load_assignments, pick_assignment
from grader.errors import (
    AssignmentError,
    GraderError,
    RunLost,
    RunnerOutputForged,
    RunnerOutputInvalid,
    RunStarved,
    SandboxError,
    SandboxStartFailed,
    SandboxUnavailable,
    SubmissionError,
    UnknownAssignment,
)
from grader.pipeline import grade
from grader.report.model import Report, Status
from grader.reporting.assembly import internal_error
from grader.submission import Submission

__all__ = [
    "Assignment",
    "AssignmentError",
    "GraderError",
    "Report",
    "RunLost",
    "RunStarved",
    "RunnerOutputForged",
    "RunnerOutputInvalid",
    "SandboxError",
    "SandboxStartFailed",
    "SandboxUnavailable",
    "Status",
    "Submission",
    "SubmissionError",
    "UnknownAssignment",
    "grade",
    "internal_error",
    "load_assignments",
    "pick_assignment",
]
