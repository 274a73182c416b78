"""Zip archives that are written while they are sent, one piece of a file at a time, so their size costs no memory.

The last entry, ``manifest.json``, lists the others with their sizes and hashes; an archive without it was cut off.
"""

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

from app.storage.models import utc_now
from grader.submission import CODE_SUFFIXES

FORMAT = 1
# Bytes of a file that are read in one step.
PIECE_BYTES = 1024 * 1024
# One thread compresses for all archives of a process, piece by piece in turn, and leaves the other cores alone.
PACKING = ThreadPoolExecutor(1, thread_name_prefix="archives")


#: An entry of an archive: its name, and its bytes, the pages of a list to write in JSON, or another value for JSON.
Entry = tuple[str, object]


async def archive_of(entries: AsyncIterator[Entry], facts: Mapping[str, object]) -> AsyncIterator[bytes]:
    """Write a zip archive, and yield its bytes as they are ready.

    Args:
        facts: for the manifest.
    """
    writer = _Writer()
    async for name, content in entries:
        async for piece in writer.add(name, content):
            yield piece
    origin = {"format": FORMAT, "made_at": utc_now(), "made_by": f"lstm-grader {version('lstm-grader')}"}
    async for piece in writer.add("manifest.json", {**origin, **facts, "files": list(writer.files)}):
        yield piece
    yield writer.end()


class _Writer:
    def __init__(self) -> None:
        self._pieces = _Pieces()
        self._zip = zipfile.ZipFile(self._pieces, "w", zipfile.ZIP_DEFLATED)
        self.files: list[dict[str, Any]] = []

    async def add(self, name: str, content: object) -> AsyncIterator[bytes]:
        """Add an entry, compressing it in a thread."""
        if not isinstance(content, bytes | AsyncIterator):
            content = bytes(await packing(_json_of, content))
        is_large = isinstance(content, bytes) and len(content) >= zipfile.ZIP64_LIMIT
        info = zipfile.ZipInfo(name, utc_now().timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        entry = self._zip.open(info, "w", force_zip64=is_large)
        sha256, size = hashlib.sha256(), 0

        def write(piece: bytes) -> None:
            sha256.update(piece)
            entry.write(piece)

        async for piece in _json_list(content) if isinstance(content, AsyncIterator) else _cut(content):
            await packing(write, piece)
            size += len(piece)
            yield self._pieces.take()
        entry.close()
        yield self._pieces.take()
        self.files.append({"name": name, "bytes": size, "sha256": sha256.hexdigest()})

    def end(self) -> bytes:
        self._zip.close()
        return self._pieces.take()


async def _cut(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]


async def _json_list(pages: AsyncIterator[Sequence[object]]) -> AsyncIterator[bytes]:
    """Write a list in JSON, of which one page at a time is in memory."""
    before = b"[\n"
    async for page in pages:
        for each in page:
            yield before + await packing(_json_of, each)
            before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def suffix_of(filename: str) -> str:
    """Return the suffix for a student's file in an archive: one of ours, so that it reveals nothing."""
    suffix = PurePosixPath(filename).suffix.lower()
    return suffix if suffix in CODE_SUFFIXES else ".bin"


async def packing(do: Callable[..., Any], *args: object) -> Any:
    """Do work for an archive in the thread that all archives share."""
    return await asyncio.get_running_loop().run_in_executor(PACKING, do, *args)


def _json_of(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, default=_as_json).encode("utf-8", "backslashreplace")


def _as_json(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


class _Pieces(io.RawIOBase):
    """A buffer between the zip writer and the response. It cannot seek, so the writer never goes back."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces = []
        return data
