"""Data that belongs to a report but is too large for it: the arrays of public cases, and the source (`source.py`).

An artefact is bytes under a name made of their hash. Storing it twice is harmless, and the report that names it
vouches for its content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

#: Takes an artefact's name and content.
Sink = Callable[[str, bytes], None]
Floats = NDArray[np.float32]


def pack(actual: NDArray[np.floating], expected: NDArray[np.floating]) -> tuple[str, bytes]:
    """Pack both arrays of a case, each ``(batch, timesteps, units)``, into an artefact: its name and its content."""
    arrays = {"actual": actual, "expected": expected}
    content = safetensors.numpy.save({key: np.ascontiguousarray(array, np.float32) for key, array in arrays.items()})
    return f"{hashlib.sha256(content).hexdigest()[:32]}.safetensors", content


def unpack(content: bytes) -> tuple[Floats, Floats]:
    """Return the arrays `actual` and `expected`.

    Raises:
        ValueError: the bytes are not an artefact.
    """
    try:
        arrays = safetensors.numpy.load(content)
        return arrays["actual"], arrays["expected"]
    except (SafetensorError, KeyError) as exc:
        raise ValueError(f"no artefact: {exc}") from exc
