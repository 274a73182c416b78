"""Spoils an answer of a model: whatever is computed from it must then change."""

from typing import Any

import numpy as np
import tensorflow as tf
from box_requests import Spoil

# Added to an answer. A shift has the same sign everywhere but not the same size: a correlation does not notice a
# constant. The pattern takes most elements a little down and one in ten far up, and its mean is next to nothing: a
# measure that lets signs cancel reveals itself. No element gets both, unless the request says so.
SHIFT = np.array([0.6, 1.4, 0.8, 1.2], np.float32)
PATTERN = np.array([1.1, -0.15, -0.15, -0.15, -0.1, -0.1, -0.1, -0.1, -0.1, -0.1], np.float32)


def spoiled(output: Any, array: np.ndarray, spoil: Spoil, instead: np.ndarray | None) -> Any:
    """Return an answer, spoiled, in the form that it has.

    Args:
        array: its numbers.
        instead: the numbers to start from, where they have the same shape.
    """
    other = np.array(array if instead is None or instead.shape != array.shape else instead)
    is_pattern, everywhere = spoil["by"] == "pattern", spoil.get("everywhere") or array.size == 1
    elements = _every_other(array.shape, second=is_pattern) | everywhere
    numbers = np.resize(PATTERN if is_pattern else SHIFT, elements.sum())
    if is_pattern and numbers.size > PATTERN.size:
        rest = numbers.size % PATTERN.size  # a part of a period has another mean
        numbers[:rest] = np.resize([0.1, -0.1], rest)
    other[elements] += spoil["amount"] * numbers
    changed = other.astype(array.dtype)
    if isinstance(output, (list, tuple)):
        return type(output)([tf.constant(changed), *output[1:]])
    return changed if isinstance(output, np.ndarray) else tf.constant(changed)


def _every_other(shape: tuple[int, ...], *, second: bool) -> np.ndarray:
    """Mark one colour of a chessboard: from the end, so that a last step alone has the same."""
    marked = np.array(not second)
    for size in shape:
        marked = ~np.logical_xor.outer(marked, np.arange(size)[::-1] % 2 == 0)
    return marked
