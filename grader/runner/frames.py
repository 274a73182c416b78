"""Frames: how data crosses the wall, in both directions.

A frame is two lengths, a JSON object and a block of bytes: arrays as safetensors, the file to read, or nothing::

    u32 length of the JSON | u32 length of the block | JSON, UTF-8 | block

The trusted side has its own reader for these bytes (`grader.sandbox.protocol`) and believes nothing in them.
"""

import json
import os
import struct
from typing import Any

HEADER = struct.Struct("<II")


def read_request(fd: int) -> tuple[Any, bytes]:
    """Read the request, which is one whole file, and close it. Returns: its JSON, and the bytes after that."""
    raw = os.pread(fd, os.fstat(fd).st_size, 0)
    os.close(fd)
    length, _ = HEADER.unpack_from(raw)
    start = HEADER.size + length
    return json.loads(raw[HEADER.size : start]), raw[start:]


def frame(body: dict[str, Any], block: bytes = b"") -> bytes:
    text = json.dumps(body, default=str, ensure_ascii=False).encode("utf-8", "replace")
    return HEADER.pack(len(text), len(block)) + text + block
