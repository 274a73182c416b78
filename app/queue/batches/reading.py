"""Reads the archive of a batch, within limits for hostile archives. Nothing is unpacked to disk.

`grader.batch` reads one entry at a time, up to the size limit of an upload. This module also limits the archive as a
whole: the number of files, and of the bytes that they claim to unpack to, which `zipfile` never exceeds.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from app.errors import ArchiveEmpty, ArchiveTooLarge, ArchiveUnreadable
from grader.batch.archives import Unreadable, open_archive
from grader.batch.collect import ARCHIVE_SUFFIX, StudentFile, collect

#: Enough for a course of a thousand students with a few files each.
FILES_MAX = 5000
UNPACKED_BYTES_MAX = 2_000_000_000
#: Notebooks and code shrink to a tenth, rarely to a fiftieth. Small archives may shrink more.
RATIO_MAX = 100
SMALL_BYTES = 50_000_000


@contextlib.contextmanager
def files_of(archive: BinaryIO, packed_bytes: int) -> Iterator[list[StudentFile]]:
    """Yield the files of an uploaded archive, in the order of their names. It blocks: call it in a thread.

    Args:
        archive: the file, at any position. It is copied to disk without unpacking.
        packed_bytes: the size limit of the archive, quoted in a refusal.
    Raises:
        ArchiveUnreadable, ArchiveTooLarge, ArchiveEmpty
    """
    with tempfile.TemporaryDirectory(prefix="lstm-grader-batch-") as folder:
        path = Path(folder) / f"archive{ARCHIVE_SUFFIX}"
        with path.open("wb") as copy:
            archive.seek(0)
            shutil.copyfileobj(archive, copy)
        _check(path, packed_bytes)
        with collect([path]) as files:
            if not files:
                raise ArchiveEmpty
            yield files


def path_of(entry: StudentFile) -> str:
    """Return the path of a file in its archive, for people."""
    return str(PurePosixPath(*PurePosixPath(entry.path).parts[1:]))


def too_large(packed_bytes: int) -> ArchiveTooLarge:
    """Return the error for an archive that holds too much."""
    return ArchiveTooLarge(limit_files=FILES_MAX, limit_bytes=UNPACKED_BYTES_MAX, packed_bytes=packed_bytes)


def _check(path: Path, packed_bytes: int) -> None:
    """Raises: ArchiveUnreadable, ArchiveTooLarge"""
    try:
        with open_archive(path) as archive:
            entries = archive.infolist()
            unpacked = sum(each.file_size for each in entries)
    except Unreadable as exc:
        if exc.code == "too_many_files":
            raise too_large(packed_bytes) from exc
        raise ArchiveUnreadable from exc
    bomb = unpacked > max(SMALL_BYTES, RATIO_MAX * path.stat().st_size)
    if len(entries) > FILES_MAX or unpacked > UNPACKED_BYTES_MAX or bomb:
        raise too_large(packed_bytes)
