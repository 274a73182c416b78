"""Reads ZIP archives from strangers: writes nothing to disk, and reads nothing without a limit.

An archive may be a bomb (42 kB that unpack to petabytes, a directory of a million entries, entries that overlap). It
may name its entries ``../../etc/passwd``, contain links, need a password, or be cut off. Entries are read one at a
time, up to a number of bytes; their names are only shown.
"""

import contextlib
import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

#: An entry takes some 100 bytes: tens of thousands of them.
DIRECTORY_BYTES = 4_000_000
# APPNOTE 6.3.10, sections 4.3.14 to 4.3.16: the signature, and the position of the central directory's size.
END, END_SIZE_AT = b"PK\x05\x06", 12
LOCATOR, LOCATOR_BYTES = b"PK\x06\x07", 20
END64, END64_BYTES, END64_SIZE_AT = b"PK\x06\x06", 56, 40
COMMENT_BYTES = 0xFFFF
ENCRYPTED_FLAG, UTF8_FLAG = 0x1, 0x800
# Other methods unpack a whole block, however few bytes are asked for.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
TWO_ALPHABETS = re.compile("[A-Za-z][\u0400-\u04ff]|[\u0400-\u04ff][A-Za-z]")
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError)


class Unreadable(Exception):
    """A file that cannot be read from an archive or a folder; `code` names the reason, texts are under ``batch.``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Raises: Unreadable: reading in this block fails, or finds an archive damaged."""
    try:
        yield
    except BROKEN as exc:
        raise Unreadable("damaged") from exc
    except OSError as exc:
        raise Unreadable("unreadable") from exc


@contextlib.contextmanager
def open_archive(source: Path | bytes) -> Iterator[zipfile.ZipFile]:
    """Open an archive. Raises: Unreadable: it is not one, it is damaged, or its directory is absurdly large."""
    with contextlib.ExitStack() as stack:
        with readable():
            file: IO[bytes] = stack.enter_context(source.open("rb") if isinstance(source, Path) else io.BytesIO(source))
            # `ZipFile` reads and keeps the whole directory at once.
            if _directory_bytes(file) > DIRECTORY_BYTES:
                raise Unreadable("too_many_files")
            archive = stack.enter_context(zipfile.ZipFile(file))
        yield archive


def _directory_bytes(file: IO[bytes]) -> int:
    """Read the directory's size at the end of the archive; `ZipFile` reads exactly as much."""
    file.seek(0, io.SEEK_END)
    size = file.tell()
    file.seek(max(0, size - COMMENT_BYTES - 22 - LOCATOR_BYTES - END64_BYTES))
    tail = file.read()
    end = tail.rfind(END)
    if end < 0 or len(tail) < end + 22:
        raise Unreadable("damaged")
    (directory,) = struct.unpack_from("<L", tail, end + END_SIZE_AT)
    locator = end - LOCATOR_BYTES
    if tail[max(0, locator) :].startswith(LOCATOR):
        end64 = locator - END64_BYTES
        if end64 < 0 or not tail[end64:].startswith(END64):
            raise Unreadable("damaged")
        (directory,) = struct.unpack_from("<Q", tail, end64 + END64_SIZE_AT)
    return int(directory)


def entries(archive: zipfile.ZipFile) -> list[tuple[PurePosixPath, zipfile.ZipInfo]]:
    """List the files in an archive, under names that cannot lead out of it."""
    return [(_path(info), info) for info in archive.infolist() if not info.is_dir()]


def read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """Return the first `limit` bytes of one entry.

    Raises:
        Unreadable: it needs a password, is a link, is packed in an unusual way, or is damaged.
    """
    if info.flag_bits & ENCRYPTED_FLAG:
        raise Unreadable("encrypted")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise Unreadable("link")
    if info.compress_type not in METHODS:
        raise Unreadable("unusual_packing")
    with readable(), archive.open(info) as file:
        return file.read(limit)


def _path(info: zipfile.ZipInfo) -> PurePosixPath:
    parts = _name(info).replace("\\", "/").split("/")
    kept = [part for part in parts if part not in ("", ".", "..") and not part.endswith(":")]
    return PurePosixPath(*kept or ["unnamed"])


def _name(info: zipfile.ZipInfo) -> str:
    """Decode an entry's name. Without the UTF-8 flag it is in the packer's code page: that of Windows in Russian
    (cp866) or in a language of Western Europe (cp437, which `zipfile` assumes).
    """
    if info.flag_bits & UTF8_FLAG or info.filename.isascii():
        return info.filename
    raw = info.filename.encode("cp437", "replace")
    with contextlib.suppress(UnicodeDecodeError):
        return raw.decode("utf-8")
    russian = raw.decode("cp866")
    # "M\u00fcller" would read "M\u0411ller": no word mixes two alphabets.
    return info.filename if TWO_ALPHABETS.search(russian) else russian
