"""Zip archives that are written while they are sent, one piece of a file at a time, so their size costs no memory.

The last entry, ``manifest.json``, lists the others with their sizes and hashes; an archive without it was cut off.
"""

from __future__ import annotations

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


class ArchiveWriter:
    """Writes a zip archive, and yields its bytes as they are ready."""

    def __init__(self) -> None:
        self._pieces = _Pieces()
        self._written: list[dict[str, Any]] = []
        self._zip = zipfile.ZipFile(self._pieces, "w", zipfile.ZIP_DEFLATED)

    async def add_json(self, name: str, value: object) -> AsyncIterator[bytes]:
        async for piece in self.add(name, await packing(_json_of, value)):
            yield piece

    async def add_pages(self, name: str, pages: AsyncIterator[Sequence[object]]) -> AsyncIterator[bytes]:
        """Add a list in JSON, of which one page at a time is in memory."""

        async def pieces() -> AsyncIterator[bytes]:
            before = b"[\n"
            async for page in pages:
                for each in page:
                    yield before + await packing(_json_of, each)
                    before = b",\n"
            yield b"[]\n" if before == b"[\n" else b"\n]\n"

        async for piece in self._add(name, pieces()):
            yield piece

    async def add(self, name: str, content: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(content), PIECE_BYTES):
                yield content[start : start + PIECE_BYTES]

        async for piece in self._add(name, pieces(), is_large=len(content) >= zipfile.ZIP64_LIMIT):
            yield piece

    async def _add(self, name: str, pieces: AsyncIterator[bytes], *, is_large: bool = False) -> AsyncIterator[bytes]:
        """Add an entry, compressing it in a thread."""
        info = zipfile.ZipInfo(name, utc_now().timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        entry = self._zip.open(info, "w", force_zip64=is_large)
        sha256, size = hashlib.sha256(), 0

        def write(piece: bytes) -> None:
            sha256.update(piece)
            entry.write(piece)

        async for piece in pieces:
            await packing(write, piece)
            size += len(piece)
            yield self._pieces.take()
        entry.close()
        yield self._pieces.take()
        self._written.append({"name": name, "bytes": size, "sha256": sha256.hexdigest()})

    async def end(self, facts: Mapping[str, object]) -> AsyncIterator[bytes]:
        """Add the manifest, and finish the archive."""
        origin = {"format": FORMAT, "made_at": utc_now(), "made_by": f"lstm-grader {version('lstm-grader')}"}
        async for piece in self.add_json("manifest.json", {**origin, **facts, "files": list(self._written)}):
            yield piece
        self._zip.close()
        yield self._pieces.take()


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
