"""The report: the points of one submission, and the reasons.

These models are the *stored* form. They hold codes and parameters, never sentences: `messages.render` adds
`title`, `message` and `hint` in the reader's language when a report is read, so that a better sentence reaches old
reports too. docs/report.md describes every key.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import rfc8785
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Status(StrEnum):
    """The verdict on one submission. The values are the strings in the JSON."""

    PASSED = "passed"
    FAILED = "failed"
    INVALID_SUBMISSION = "invalid_submission"
    RUNTIME_ERROR = "runtime_error"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    INVALID_OUTPUT = "invalid_output"
    INTERNAL_ERROR = "internal_error"


class CheckStatus(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


# Limits for a student's names and lists: people read a report, and it is kept for ever.
MAX_TEXT, MAX_KEY, MAX_ITEMS = 4000, 200, 200


def _bounded(value: Any) -> Any:
    """Cut texts and lists to a readable size. Replace NaN and infinity, which JSON lacks, by null."""
    match value:
        case dict():
            return {key[:MAX_KEY]: _bounded(item) for key, item in itertools.islice(value.items(), MAX_ITEMS)}
        case list() | tuple():
            return [_bounded(item) for item in value[:MAX_ITEMS]]
        case str():
            return value[:MAX_TEXT]
        case float() if not math.isfinite(value):
            return None
    return value


Number = Annotated[float | None, BeforeValidator(_bounded)]
#: JSON values by name; they fill in a code's sentence.
Params = Annotated[dict[str, Any], BeforeValidator(_bounded)]


class ReportModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AssignmentRef(ReportModel):
    id: str
    digest: str


class SubmissionRef(ReportModel):
    filename: str
    sha256: str
    format: Literal["py", "ipynb"] | None


class Check(ReportModel):
    id: str
    points: float
    max_points: float
    status: CheckStatus
    code: str | None = None
    params: Params = {}
    details: Params = {}


class NonFinite(ReportModel):
    nan: int
    inf: int


class Divergence(ReportModel):
    """The first element, in order of time, that is not close."""

    batch: int
    timestep: int
    unit: int
    expected: Number
    actual: Number


class CaseResult(ReportModel):
    """One case. For hidden cases `first_divergence` and the error lists stay empty: they would give the inputs away."""

    id: str
    visibility: Literal["public", "hidden"]
    category: str
    shape: list[int] | None
    max_abs_error: Number
    mean_abs_error: Number
    atol: float
    rtol: float
    nonfinite: NonFinite
    first_divergence: Divergence | None = None
    errors_by_timestep: list[Number] = []
    errors_by_unit: list[Number] = []
    arrays: str | None = None


class RunnerUp(ReportModel):
    code: str
    distance: Number


class Diagnosis(ReportModel):
    code: str
    params: Params = {}
    confidence: Literal["exact", "likely"]
    residual: Number = None
    runner_up: RunnerUp | None = None
    also: list[str] = []


#: The advisory on code that attacked the grader itself.
HELD = "attack_on_grader"


class Advisory(ReportModel):
    code: str
    params: Params = {}
    line: int | None = None


class SkippedCell(ReportModel):
    index: int
    code: str
    params: Params = {}


class Extraction(ReportModel):
    """The parts taken from the file, and the roles of the student's layers and weights."""

    cells_used: list[int] = []
    cells_skipped: list[SkippedCell] = []
    class_line: int | None = None
    code_sha256: str | None = None
    roles: dict[str, str] = {}
    roles_from: Literal["names", "copying_code", "shapes", "numbers"] | None = None


class Environment(ReportModel):
    tensorflow: str | None = None
    keras: str | None = None
    keras_generation: Literal["2", "3"] | None = None
    device: str | None = None
    wall: list[str] = []


class Timing(ReportModel):
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    phases: dict[str, float] = {}


class Output(ReportModel):
    stdout: str = ""
    stderr: str = ""
    truncated: bool = False


class Frame(ReportModel):
    """One of the student's own frames; `file` is the uploaded name or "cell N", never a path of the server."""

    file: str
    line: int
    code: str


class ErrorInfo(ReportModel):
    type: str
    message: str
    traceback: list[Frame] = []


class Reproduction(ReportModel):
    language: str
    source: str


class Receipt(ReportModel):
    submission_sha256: str
    assignment_digest: str
    grader_version: str
    created_at: datetime
    report_sha256: str = ""


class Report(ReportModel):
    """Everything there is to say about one graded submission."""

    schema_version: Literal[1] = 1
    status: Status
    points: float | None
    max_points: float
    score: float | None = Field(description="points / max_points, from 0 to 1; null exactly for internal_error")
    assignment: AssignmentRef
    submission: SubmissionRef
    checks: list[Check]
    cases: list[CaseResult] = []
    diagnoses: list[Diagnosis] = []
    advisories: list[Advisory] = []
    extraction: Extraction = Extraction()
    environment: Environment = Environment()
    timing: Timing = Timing()
    output: Output = Output()
    error: ErrorInfo | None = None
    reproduction: Reproduction | None = None
    receipt: Receipt

    @property
    def is_held(self) -> bool:
        """Return whether a teacher should look at it before it counts."""
        return any(advisory.code == HELD for advisory in self.advisories)

    def sealed(self) -> Report:
        """Return the same report with `receipt.report_sha256` filled in."""
        receipt = self.receipt.model_copy(update={"report_sha256": self.digest()})
        return self.model_copy(update={"receipt": receipt})

    def digest(self) -> str:
        """Return the SHA-256, in hex, of the stored form without `receipt.report_sha256`, canonicalised by RFC 8785."""
        stored = self.model_dump(mode="json")
        del stored["receipt"]["report_sha256"]
        return hashlib.sha256(rfc8785.dumps(stored)).hexdigest()
