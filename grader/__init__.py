"""The engine: grades a submission of the LSTM exercise. Works from a shell with no web service anywhere."""

from grader.assignment import Assignment, load_assignments
from grader.errors import AssignmentError, RunStarved, SandboxError, SandboxStartFailed
from grader.pipeline import grade
from grader.report.model import Report, Status
from grader.reporting.assembly import internal_error
from grader.submission import Submission
