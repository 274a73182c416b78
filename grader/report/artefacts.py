"""What belongs to a report and is too large for it: the arrays of public cases, which pictures are drawn from.

An artefact is bytes under a name made of their hash: whoever stores it can store it twice, and the report that names it
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
    """An artefact of both arrays of a case, each ``(batch, timesteps, units)``: its name and its content."""
    arrays = {"actual": actual, "expected": expected}
    content = safetensors.numpy.save({key: np.ascontiguousarray(array, np.float32) for key, array in arrays.items()})
    return f"{hashlib.sha256(content).hexdigest()[:32]}.safetensors", content


def unpack(content: bytes) -> tuple[Floats, Floats]:
    """The arrays `actual` and `expected`.

    Raises:
        ValueError: the bytes are no artefact.
    """
    try:
        arrays = safetensors.numpy.load(content)
        return arrays["actual"], arrays["expected"]
    except (SafetensorError, KeyError) as exc:
        raise ValueError(f"no artefact: {exc}") from exc
