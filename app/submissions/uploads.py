"""The rules for uploaded files: one with an obvious fault is refused.

Faults in the content (an unknown encoding, a broken notebook, no class) lead to a report instead.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath

from app.access.tokens import Principal
from app.courses.assignments import Assignments
from app.errors import (
    AssignmentUnknown,
    FieldsMissing,
    FileEmpty,
    FileTooLarge,
    FileTypeUnsupported,
    NotPermitted,
    OtherStudent,
    StudentInvalid,
)
from grader import Assignment
from grader import Submission as GraderSubmission
from grader.submission import CODE_SUFFIXES

DEFAULT_ASSIGNMENT = "lstm-layer"
STUDENT_CHARACTERS = 200
FILENAME_CHARACTERS = 255
# The key of a notebook's cells, in format 4 and in earlier formats.
NOTEBOOK_MARKS = ('"cells"', '"worksheets"')
#: Code without pictures is small; a notebook with pictures is uploaded as a file.
PASTE_BYTES = 1_000_000


@dataclass(frozen=True)
class File:
    """An uploaded file. Attributes: name: its name on the sender's machine."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Upload:
    """A checked file, as a student's attempt."""

    student: str
    assignment_id: str
    filename: str
    content: bytes

    @property
    def sha256(self) -> str:
        return GraderSubmission(self.filename, self.content).sha256


def check_upload(
    submitter: Principal,
    file: File | None,
    student: str | None,
    assignment_id: str,
    assignments: Assignments,
    upload_bytes: int,
) -> Upload:
    """Check an upload.

    Args:
        student: None: the student or assistant who owns the token of `submitter`.
        upload_bytes: the limit of the service (`most_bytes`).
    Raises:
        UploadRefused: one of its subclasses, for the first fault found.
        OtherStudent: the student is not the owner of the token.
        NotPermitted: the token is for another assignment.
    """
    own = None if submitter.hands_in_for_others else submitter.external_id
    student = student or own
    if file is None or not student:
        fields = {"file": file, "student": student}
        raise FieldsMissing(missing=[name for name, value in fields.items() if not value])
    if assignment_id not in assignments:
        raise AssignmentUnknown(came=assignment_id[:100], known=sorted(assignments))
    if submitter.assignment_id not in (None, assignment_id):
        raise NotPermitted
    student = check_student(student)
    if not submitter.hands_in_for_others and student != own:
        raise OtherStudent
    filename = clean_filename(file.name)
    check_file(filename, len(file.content), most_bytes(assignments[assignment_id], upload_bytes))
    return Upload(student, assignment_id, filename, file.content)


def check_file(filename: str, size: int, limit_bytes: int) -> None:
    """Check a file by its name and the number of its bytes.

    Raises:
        FileTypeUnsupported, FileTooLarge, FileEmpty
    """
    if PurePosixPath(filename).suffix.lower() not in CODE_SUFFIXES:
        raise FileTypeUnsupported(filename=filename, accepted=list(CODE_SUFFIXES))
    if size > limit_bytes:
        raise FileTooLarge(limit_bytes=limit_bytes)
    if not size:
        raise FileEmpty(filename=filename)


def most_bytes(assignment: Assignment, upload_bytes: int) -> int:
    """Return the size limit of an assignment's files, within the limit of the service."""
    return min(assignment.upload.upload_bytes, upload_bytes)


def check_student(value: object) -> str:
    """Normalize the student's name or id: composed letters, no surrounding spaces.

    Raises:
        StudentInvalid: it is empty, too long, or holds control characters.
    """
    student = unicodedata.normalize("NFC", value).strip() if isinstance(value, str) else ""
    printable = all(unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp") for character in student)
    if not student or max(len(student), len(str(value))) > STUDENT_CHARACTERS or not printable:
        raise StudentInvalid(limit=STUDENT_CHARACTERS)
    return student


def clean_filename(text: str) -> str:
    """Return the last part of a path of any operating system, without control characters, shortened before its suffix.

    >>> clean_filename("C:\\\\homework\\\\LSTM.ipynb")
    'LSTM.ipynb'
    """
    name = re.split(r"[/\\]", text)[-1]
    name = "".join(character for character in name if unicodedata.category(character)[0] != "C").strip()
    path = PurePosixPath(name)
    suffix = path.suffix if len(path.suffix) < FILENAME_CHARACTERS else ""
    return path.name.removesuffix(suffix)[: FILENAME_CHARACTERS - len(suffix)] + suffix


def file_of_code(code: str) -> File:
    """Turn code that was pasted into a form into a file: a module, or a notebook if the text looks like one.

    Parsing is left to the reader process, which reports the faults.
    """
    # Browsers send line ends as CR LF.
    content = code.replace("\r\n", "\n").encode()
    is_notebook = code.lstrip("\ufeff \t\r\n").startswith("{") and any(mark in code for mark in NOTEBOOK_MARKS)
    return File(f"pasted.{'ipynb' if is_notebook else 'py'}", content)
