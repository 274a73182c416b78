"""Finds the submissions of a course in folders, files and archives, and their owners.

A platform's "download all" archive is recognised by its names:

    Moodle   ``Name Surname_12345_assignsubmission_file_/LSTM.ipynb``, or the same without a folder
             (mod/assign/locallib.php, ``download_submissions``); 12345 is Moodle's "Participant 12345"
    Canvas   ``surnamename_12345_67890_LSTM.ipynb``, ``surnamename_LATE_12345_67890_LSTM.ipynb``
             (app/models/content_zipper.rb in canvas-lms); 12345 is the user's id, 67890 the attachment's

Any other file is a student of its own, and its path without the suffix is the student's name.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal
from zipfile import ZipFile, ZipInfo

from grader.batch.archives import Unreadable, entries, open_archive, read_entry, readable
from grader.submission import CODE_SUFFIXES, NAMED_FILES, is_leftover, readable_name

ARCHIVE_SUFFIX = ".zip"
#: An archive in an archive is one student's folder; a notebook rarely comes with more files than this.
NESTED_FILES = 200
NESTED_BYTES = 50_000_000

MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?", re.DOTALL)
CANVAS = re.compile(r"(?P<name>[^_]+)(?P<late>_late)?_(?P<id>\d+)_\d+_(?P<file>.+)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Student:
    """The owner of a submission. `id` is the platform's id; without a platform there is none."""

    name: str
    platform: Literal["moodle", "canvas"] | None = None
    id: str | None = None
    late: bool = False


@dataclass(frozen=True)
class StudentFile:
    """One file to grade.

    Attributes:
        path: shown to people, and unique.
        read: takes a number of bytes and returns the file's first ones; raises `Unreadable`.
    """

    path: str
    student: Student
    filename: str
    read: Callable[[int], bytes]


@dataclass(frozen=True)
class _File:
    """A file in a folder or an archive.

    Attributes:
        changed: the time of its last change, from its archive.
        archive: the archive that contains it, if that lies in another one or in a folder.
    """

    parts: tuple[str, ...]  # below the given folder or archive
    read: Callable[[int], bytes]
    changed: tuple[int, ...] = ()
    archive: tuple[str, ...] = ()

    @property
    def is_code(self) -> bool:
        return self.has_suffix(*CODE_SUFFIXES)

    def has_suffix(self, *suffixes: str) -> bool:
        return self.parts[-1].lower().endswith(suffixes)


@contextlib.contextmanager
def collect(paths: Sequence[Path]) -> Iterator[list[StudentFile]]:
    """Find the files to grade, in the order of `paths` and below that by name; readable while the context lasts.

    An archive or entry that cannot be read is included: its `read` gives the reason.
    """
    with contextlib.ExitStack() as stack:
        answers: list[StudentFile] = []
        for path in paths:
            files = _in_folder(path, stack) if path.is_dir() else _on_disk(path, (readable_name(path.name),), (), stack)
            alone = not path.is_dir() and path.suffix.lower() != ARCHIVE_SUFFIX
            answers += _students(sorted(files, key=_natural), prefix=readable_name(path.name), alone=alone)
        yield _with_unique_paths(answers)


def _natural(file: _File) -> list[tuple[int, int, str]]:
    """Sort as people count: ``lab2`` before ``lab10``."""
    pieces = re.split(r"(\d+)", "/".join(file.parts).casefold())
    return [(0, int(piece), piece) if piece.isdecimal() else (1, 0, piece) for piece in pieces]


def _in_folder(folder: Path, stack: contextlib.ExitStack) -> Iterator[_File]:
    for path in folder.rglob("*"):
        parts = tuple(map(readable_name, path.relative_to(folder).parts))
        # Links are not followed: their targets are not submissions.
        if is_leftover(parts) or any(part.is_symlink() for part in (path, *path.parents[: len(parts) - 1])):
            continue
        if path.is_file():
            yield from _on_disk(path, parts, parts, stack)


def _on_disk(
    path: Path, parts: tuple[str, ...], inside: tuple[str, ...], stack: contextlib.ExitStack
) -> Iterator[_File]:
    """Yield a file, or the files of an archive, with `inside` before their names."""
    if path.suffix.lower() != ARCHIVE_SUFFIX:
        yield _File(parts, lambda limit: _read_file(path, limit))
        return
    try:
        archive = stack.enter_context(open_archive(path))
    except Unreadable as exc:
        yield _unreadable_file(parts, exc)
        return
    for name, info in entries(archive):
        if not is_leftover(name.parts):
            yield from _in_archive(archive, info, (*inside, *name.parts), inside)


def _in_archive(archive: ZipFile, info: ZipInfo, parts: tuple[str, ...], inside: tuple[str, ...]) -> Iterator[_File]:
    if not parts[-1].lower().endswith(ARCHIVE_SUFFIX):
        yield _File(parts, lambda limit: read_entry(archive, info, limit), info.date_time, inside)
        return
    try:
        content = read_entry(archive, info, NESTED_BYTES + 1)
        if len(content) > NESTED_BYTES:
            raise Unreadable("archive_too_large")
        with open_archive(content) as nested:
            names = [
                (number, name, entry.date_time)
                for number, (name, entry) in enumerate(entries(nested))
                if not is_leftover(name.parts)
            ]
        if len(names) > NESTED_FILES:
            raise Unreadable("too_many_files")
    except Unreadable as exc:
        yield _unreadable_file(parts, exc)
        return
    for number, name, changed in names:
        inner = (*parts, *name.parts)
        if name.suffix.lower() == ARCHIVE_SUFFIX:
            yield _unreadable_file(inner, Unreadable("nested_too_deep"))
        else:
            yield _File(inner, _nested_reader(archive, info, number), changed, parts)


def _nested_reader(archive: ZipFile, info: ZipInfo, number: int) -> Callable[[int], bytes]:
    """Unpack the inner archive again for each read: keeping those of a whole course in memory would take gigabytes."""

    def read(limit: int) -> bytes:
        with open_archive(read_entry(archive, info, NESTED_BYTES)) as nested:
            return read_entry(nested, entries(nested)[number][1], limit)

    return read


def _read_file(path: Path, limit: int) -> bytes:
    with readable(), path.open("rb") as file:
        return file.read(limit)


def _unreadable_file(parts: tuple[str, ...], reason: Unreadable) -> _File:
    def read(_limit: int) -> bytes:
        raise reason

    return _File(parts, read)


def _students(files: Sequence[_File], prefix: str, *, alone: bool) -> Iterator[StudentFile]:
    """Find the owner of each file, and leave out files that are not answers."""
    from_canvas = _canvas_folders(files)
    groups: dict[Student, list[tuple[_File, str]]] = {}
    for file in files:
        student, filename, depth = _owner(file, from_canvas)
        if depth >= len(file.archive):
            file = replace(file, archive=())  # The archive of a whole course.
        groups.setdefault(student, []).append((file, filename))
    for student, handed_in in groups.items():
        code = [(file, name) for file, name in handed_in if file.is_code]
        # A student who handed in only a picture or a Word file still gets an answer, and a row in the grade book.
        is_asked = student.platform is not None or alone
        kept = code or (handed_in if is_asked else [pair for pair in handed_in if pair[0].has_suffix(ARCHIVE_SUFFIX)])
        for file, filename in _one_per_archive(kept):
            path = prefix if alone else "/".join((prefix, *file.parts))
            yield StudentFile(path, student, filename, file.read)


def _one_per_archive(files: Sequence[tuple[_File, str]]) -> Iterator[tuple[_File, str]]:
    """Choose one answer from a student's archive: its notebooks, or else its modules, and of these the newest."""
    archives: dict[tuple[str, ...], list[tuple[_File, str]]] = {}
    for file, name in files:
        if file.archive and file.is_code:
            archives.setdefault(file.archive, []).append((file, name))
        else:
            yield file, name
    for archive, inside in archives.items():
        kinds = ([pair for pair in inside if pair[0].has_suffix(suffix)] for suffix in CODE_SUFFIXES)
        fitting = next(filter(None, kinds))
        newest = max(file.changed for file, _ in fitting)
        latest = [pair for pair in fitting if pair[0].changed == newest]
        if len(latest) == 1:
            yield latest[0]
        else:
            names = ", ".join("/".join(file.parts[len(archive) :]) for file, _ in latest[:NAMED_FILES])
            more = ", ..." if len(latest) > NAMED_FILES else ""
            yield _unreadable_file((*archive, f"{{{names}{more}}}"), Unreadable("several_files")), archive[-1]


def _handed_in(parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the names that a platform may have given, with their folders: the file's, and those of its archives."""
    for number, part in enumerate(parts):
        if number == len(parts) - 1 or part.lower().endswith(ARCHIVE_SUFFIX):
            yield parts[:number], part


def _canvas_folders(files: Iterable[_File]) -> set[tuple[str, ...]]:
    """Find folders in which every file is named as in Canvas: a single file may fit by accident."""
    fits: dict[tuple[str, ...], bool] = {}
    for folder, name in {pair for file in files for pair in _handed_in(file.parts)}:
        fits[folder] = fits.get(folder, True) and CANVAS.fullmatch(name) is not None
    return {folder for folder, every in fits.items() if every}


def _owner(file: _File, from_canvas: set[tuple[str, ...]]) -> tuple[Student, str, int]:
    """Return a file's owner, the owner's name for it, and how many folders and archives lie above the owner's."""
    parts = file.parts
    filename = parts[-1]
    for number, part in enumerate(parts):
        if match := MOODLE.fullmatch(part):
            is_file = number == len(parts) - 1
            own_name = (match["file"] if is_file else None) or filename
            return Student(match["name"], "moodle", match["id"]), own_name, number
    for folder, name in _handed_in(parts):
        if folder in from_canvas and (match := CANVAS.fullmatch(name)):
            student = Student(match["name"], "canvas", match["id"], late=match["late"] is not None)
            return student, match["file"] if name is filename else filename, len(folder)
    return Student(str(PurePosixPath(*parts).with_suffix(""))), filename, len(parts)


def _with_unique_paths(files: list[StudentFile]) -> list[StudentFile]:
    """Number the paths that occur twice: archives may contain the same name twice."""
    counts: Counter[str] = Counter()
    unique = []
    for file in files:
        counts[file.path] += 1
        unique.append(replace(file, path=f"{file.path} ({counts[file.path]})") if counts[file.path] > 1 else file)
    return unique
