"""Data that belongs to a report but is too large for it: arrays of public cases, and the source (`source.py`).

An artefact is bytes under a name made of their hash. Storing it twice is harmless, and the report that names it
vouches for its content.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from grader.report.proof.step import WorkedStep

#: Takes an artefact's name and content.
Sink = Callable[[str, bytes], None]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CaseArrays:
    """The arrays kept of a public case, each ``(batch, timesteps, units)``.

    Args:
        named: the answer of the named mistake, where it equals the student's; older artefacts have none.
        step: the first wrong step in numbers; older artefacts have none.
    """

    actual: Floats
    expected: Floats
    named: Floats | None = None
    step: WorkedStep | None = None


def pack(
    actual: NDArray[np.floating],
    expected: NDArray[np.floating],
    named: NDArray[np.floating] | None = None,
    step: WorkedStep | None = None,
) -> tuple[str, bytes]:
    """Pack the arrays and the step of a case into an artefact: its name and its content."""
    arrays = {"actual": actual, "expected": expected} | ({} if named is None else {"named": named})
    with np.errstate(over="ignore"):
        packed = {key: np.ascontiguousarray(array, np.float32) for key, array in arrays.items()}
    texts = {} if step is None else {"step": np.frombuffer(step.model_dump_json().encode(), np.uint8)}
    content = safetensors.numpy.save({**packed, **texts})
    return f"{hashlib.sha256(content).hexdigest()[:32]}.safetensors", content


def unpack(content: bytes) -> CaseArrays:
    """Read the output of `pack`.

    Raises:
        ValueError: the bytes are not an artefact.
    """
    try:
        arrays = safetensors.numpy.load(content)
        step = WorkedStep.model_validate_json(arrays["step"].tobytes()) if "step" in arrays else None
        return CaseArrays(arrays["actual"], arrays["expected"], arrays.get("named"), step)
    except (SafetensorError, KeyError) as exc:
        raise ValueError(f"no artefact: {exc}") from exc
