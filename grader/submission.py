"""A student's file: bytes under a name, and which of the files in a folder it is."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

#: How the name of a file of code ends. A student who hands in several kinds means the first.
CODE_SUFFIXES = (".ipynb", ".py", ".txt")
# Files left behind by systems and editors.
LEFTOVERS = ("__MACOSX", "__pycache__", "Thumbs.db", "desktop.ini")
# At most this many files are named when it is unclear which one to grade.
NAMED_FILES = 5


@dataclass(frozen=True)
class Submission:
    """One uploaded file. Only the box parses it.

    Attributes:
        choices: files that could each be the answer; empty: it is this one. None: there is no file.
    """

    filename: str
    content: bytes
    choices: tuple[str, ...] | None = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "filename", readable_name(self.filename))

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256, in hex, of the bytes as they came."""
        return hashlib.sha256(self.content).hexdigest()


def in_folder(folder: Path, limit: int) -> Submission:
    """Read the answer among the files of a folder: its notebook, or else its only module.

    Links are not followed: their targets are not answers. Where there is no code, take the first file, so that its
    student is told.

    Args:
        limit: so many bytes of it are read.
    Raises:
        OSError: the folder cannot be read.
    """
    files = {
        "/".join(map(readable_name, path.relative_to(folder).parts)): path
        for path in sorted(folder.rglob("*"))
        if not is_leftover(path.relative_to(folder).parts) and not path.is_symlink() and path.is_file()
    }
    kinds = ([name for name in files if name.lower().endswith(suffix)] for suffix in CODE_SUFFIXES)
    fitting = next(filter(None, kinds), list(files)[:1])
    if len(fitting) != 1:
        return Submission(folder.name, b"", tuple(fitting[:NAMED_FILES]) or None)
    with files[fitting[0]].open("rb") as file:
        return Submission(files[fitting[0]].name, file.read(limit))


def is_leftover(parts: Iterable[str]) -> bool:
    """Return whether a file or one of its folders was left behind by a system or an editor."""
    return any(part in LEFTOVERS or part.startswith(".") for part in parts)


def readable_name(name: str) -> str:
    """Make a file name valid UTF-8: Python shows a file system's other bytes as surrogates."""
    return name.encode("utf-8", "replace").decode()
