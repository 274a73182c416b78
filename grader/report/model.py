"""The report: the points of one submission, and the reasons.

These models are the *stored* form. They hold codes and parameters, never sentences: `messages.render` adds
`title`, `message` and `hint` in the reader's language when a report is read, so that a better sentence reaches old
reports too. docs/report.md describes every key.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field

from grader.report.finding import CheckStatus, Finding, Number, Params, Remark, Verdict
from grader.report.fingerprint import Fingerprint


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


#: The verdicts on a class that ran to the end. With any other one, there may be a mistake that was not seen.
MEASURED = frozenset({Status.PASSED, Status.FAILED})


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

    @classmethod
    def of(cls, id: str, max_points: float, verdict: Verdict) -> Check:
        return cls(
            id=id,
            points=round(verdict.earned * max_points, 6),
            max_points=max_points,
            status=verdict.status,
            code=verdict.code,
            params=verdict.finding.params if verdict.finding else {},
            details=verdict.details,
        )


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


class Diagnosis(Finding):
    confidence: Literal["exact", "likely"]
    residual: Number = None
    runner_up: RunnerUp | None = None
    also: list[str] = Field([])

    @classmethod
    def exact(cls, finding: Finding) -> Diagnosis:
        return cls(code=finding.code, params=finding.params, confidence="exact")

    @classmethod
    def likely(cls, finding: Finding) -> Diagnosis:
        return cls(code=finding.code, params=finding.params, confidence="likely")


#: The advisory on code that attacked the grader itself.
HELD = "attack_on_grader"


# A fact for the student or the teacher that costs no points.
class Advisory(Remark):
    pass


class _OfCell(ReportModel):
    index: int


# A cell, or a part of one, that was left out or failed. The order of these bases is that of the keys.
class SkippedCell(Finding, _OfCell):
    pass


class Extraction(ReportModel):
    """The parts taken from the file, and the roles of the student's layers and weights."""

    cells_used: list[int] = []
    cells_skipped: list[SkippedCell] = []
    class_line: int | None = None
    code_sha256: str | None = None
    roles: dict[str, str] = {}
    roles_from: Literal["names", "copying_code", "shapes", "numbers"] | None = None


class Place(ReportModel):
    """Lines that the cause with this code concerns. `file` is the uploaded name or "cell N", as in `Frame`."""

    code: str
    part: str
    gate: Literal["I", "F", "C", "O"] | None = None
    file: str
    line: int
    last_line: int
    confidence: Literal["certain", "probable"]


class Source(ReportModel):
    """The student's source: the name of the artefact that holds it, and the places in it."""

    artefact: str | None = None
    places: list[Place] = []


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
    """The things that decide a grade.

    Args:
        questions: a name for the numbers that were asked; two reports with the same one asked the same. None where
            nothing was asked, and in reports of versions that asked the same of every attempt.
    """

    submission_sha256: str
    assignment_digest: str
    grader_version: str
    created_at: datetime
    questions: str | None = None
    report_sha256: str = ""


class Report(ReportModel):
    """Everything there is to say about one graded submission."""

    schema_version: Literal[1] = 1
    status: Status
    points: float | None
    max_points: float
    score: float | None = Field(description="points / max_points, from 0 to 1; null for internal_error and in a check")
    assignment: AssignmentRef
    submission: SubmissionRef
    checks: list[Check]
    cases: list[CaseResult] = []
    diagnoses: list[Diagnosis] = []
    advisories: list[Advisory] = []
    extraction: Extraction = Extraction()
    source: Source = Source()
    environment: Environment = Environment()
    timing: Timing = Timing()
    output: Output = Output()
    error: ErrorInfo | None = None
    reproduction: Reproduction | None = None
    receipt: Receipt
    # For comparing the code with others'. It is stored beside the report, never in it. None: we failed.
    fingerprint: Fingerprint | None = Field(None, exclude=True)

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
        if self.receipt.questions is None:  # the first reports have no such key
            del stored["receipt"]["questions"]
        return hashlib.sha256(rfc8785.dumps(stored)).hexdigest()
