"""The trusted half of reading: sends a file to the limited reader child and checks its reply.

Decoding, notebook parsing, magics and `ast` are the first places where an upload can do harm, so none of them happens
in this process. The reader's reply is used to grade the file, and to show the student where something is. Its form is
checked here, because an attacker who took over the parser could write it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from grader.assignment import Assignment
from grader.errors import RunnerOutputInvalid
from grader.report.finding import Params, Remark
from grader.report.fingerprint import Fingerprint, StatementPrint
from grader.report.model import SkippedCell
from grader.report.source import Cells, read_cells
from grader.sandbox import Kind, Sandbox
from grader.sandbox.limits import READER_LIMITS
from grader.sandbox.protocol import decode_json, encode, split_frames
from grader.sandbox.requests import UploadRequest, sizes_of
from grader.submission import Submission

SHOWN_CODE = 300  # characters of a line of code


class ReadingModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NotebookCell(ReadingModel):
    """The place of a code cell in `Reading.source`; lines count from 1."""

    index: int
    first_line: int
    last_line: int


class Statement(ReadingModel):
    """One top-level statement, whether it is run, and the rule that decides."""

    first_line: int
    last_line: int
    cell: int
    run: bool
    reason: str


class Use(ReadingModel):
    """A statement that is run for Task 2; `grader/runner/reader/use_plan.py` describes it."""

    statement: int
    sides: list[Literal["student", "keras"]]
    shape_only: bool
    equality: bool
    assigns_attribute: bool
    reads_weights: bool


class CallSite(ReadingModel):
    """The arguments with which the student's own code constructs the class, as source text."""

    args: list[str]
    kwargs: dict[str, str]


class GlobalX(ReadingModel):
    line: int
    shape_only: bool


class Homoglyph(ReadingModel):
    name: str
    looks_like: str
    line: int


Word = Annotated[str, Field(max_length=30)]


class Part(ReadingModel):
    """Lines of `Reading.source` with a part of the layer; `grader/runner/reader/parts/finding.py` finds them.

    `what`: words about what stands there, for `grader/diagnosis/concerns.py` alone. They are the student's text.
    """

    part: Literal[
        "line", "sum", "activation", "weights", "update_c", "update_h", "initial_state", "loop", "step_input",
        "passed_on", "collected", "stacking", "returned",
    ]  # fmt: skip
    gate: Literal["I", "F", "C", "O"] | None
    first_line: Annotated[int, Field(gt=0)]
    last_line: Annotated[int, Field(gt=0)]
    what: Annotated[list[Word], Field(max_length=8)] = []


_PRINTS: TypeAdapter[list[StatementPrint]] = TypeAdapter(Annotated[list[StatementPrint], Field(max_length=1000)])
FourNames = Annotated[list[Annotated[str, Field(max_length=60)]], Field(min_length=4, max_length=4)]
Formulas = Annotated[dict[Word, Annotated[str, Field(max_length=200)]], Field(max_length=6)]


class Followed(ReadingModel):
    """Findings of the reader child that followed the class: to show it, and to give wrong numbers a name.

    Attributes:
        formulas: of one step, in the names of `reference.cell`; `grader/runner/reader/parts/formulas.py`.
        unpack_names: of the parts of fused products; `grader/runner/reader/parts/gate_order.py`. Numbers decide where
            there are none.
    """

    parts: Annotated[list[Part], Field(max_length=120)] = []
    formulas: Formulas = {}
    unpack_names: Annotated[list[FourNames], Field(max_length=50)] = []


class Reading(ReadingModel):
    """The content of a submission, found without running it."""

    format: Literal["py", "ipynb"] | None
    error: Remark | None
    source: str = ""
    cells: list[NotebookCell] = []
    statements: list[Statement] = []
    skipped: list[SkippedCell] = []
    class_line: int | None = None
    call_site: CallSite | None = None
    global_x: list[GlobalX] = []
    homoglyphs: list[Homoglyph] = []
    uses: list[Use] = []
    only_computes: bool = False
    lets_gradients_through: bool = False
    result_files: list[int] = []
    advisories: list[Remark] = []
    source_cells: Cells | None = None
    parts: list[Part] = []
    formulas: Formulas = {}
    unpack_names: list[list[str]] = []
    joined: Literal["xh", "hx"] | None = None
    fingerprint: Fingerprint = Fingerprint()

    def with_source(self, answer: bytes) -> Reading:
        """Add the source for showing and comparing it, from the reader's second answer, if that has the right form."""
        try:
            found = decode_json(answer)
        except RunnerOutputInvalid:
            return self
        if not isinstance(found, dict):
            return self
        cells = read_cells(found.pop("cells", None))
        try:
            fingerprint = Fingerprint.of(_PRINTS.validate_python(found.pop("fingerprints", None)))
        except ValidationError:
            fingerprint = Fingerprint()
        try:
            followed = Followed.model_validate(found)
        except ValidationError:
            followed = Followed()
        return self.model_copy(update={"source_cells": cells, "fingerprint": fingerprint, **dict(followed)})

    @cached_property
    def _lines(self) -> list[str]:
        return self.source.split("\n")

    def line(self, number: int) -> str:
        """Return a line of `source`, counted from 1; an empty text where there is none."""
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    def code_at(self, line: int) -> str:
        """Return the beginning of a line of `source`."""
        return self.line(line).strip()[:SHOWN_CODE]

    def cell_of(self, line: int) -> int:
        """Return the index of the cell that holds a line of `source`; 0 for a file."""
        return next((cell.index for cell in self.cells if cell.first_line <= line <= cell.last_line), 0)


def read(submission: Submission, assignment: Assignment, sandbox: Sandbox) -> Reading:
    """Read a submission in the box.

    Raises:
        SandboxError: the box failed.
    """
    if submission.choices is None:
        return _failed("no_file", {})
    if submission.choices:
        return _failed("several_files", {"files": list(submission.choices)})
    if len(submission.content) > assignment.upload.upload_bytes:
        limit = assignment.upload.upload_bytes
        return _failed("file_too_large", {"bytes": len(submission.content), "limit_bytes": limit})
    body: UploadRequest = {"filename": submission.filename, "canonical": sizes_of(assignment.cases[0])}
    outcome = sandbox.run(Kind.READER, encode(body) + submission.content, READER_LIMITS)
    ended = bool(outcome.killed_for) or outcome.exit_code != 0
    try:
        frames, _ = split_frames(outcome.result)
        if frames:
            reading = Reading.model_validate(decode_json(frames[0][0]))
            # The second answer is for showing, comparing and understanding: no right answer's grade depends on it.
            return reading if ended or len(frames) != 2 else reading.with_source(frames[1][0])
    except (RunnerOutputInvalid, ValidationError):
        pass
    # Reading is linear in the file's size: only a file made to be slow or huge ends here.
    reason = (outcome.killed_for or f"exit code {outcome.exit_code}") if ended else "no answer"
    return _failed("too_complex", {"reason": reason})


def _failed(code: str, params: Params) -> Reading:
    return Reading(format=None, error=Remark(code=code, params=params))
