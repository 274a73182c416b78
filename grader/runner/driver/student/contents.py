"""Tensors inside an answer that is not one tensor: in tuples, lists and dicts, however nested.

Only shapes are looked at here. The trusted side finds out which of the numbers are right, and in which form.
"""

import contextlib
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

# A pair for each of a thousand steps, and some more.
MOST_LEAVES = 4096
MOST_SHAPES = 8
# For all of them together: many times the size of an honest answer.
MOST_NUMBERS = 500_000
MAX_DEPTH, MAX_PLACE = 6, 40
NO_NUMBERS = "OSUMmc"


def open_content(output: Any) -> Any:
    """Return the content of a kind of tensor that is not an array: the dense tensor, or the elements."""
    if isinstance(output, tf.RaggedTensor):
        return [output.to_tensor()]
    if isinstance(output, tf.SparseTensor):
        return [tf.sparse.to_dense(output)]
    if isinstance(output, tf.TensorArray):
        return [output.stack()]
    return output


class DrainedItems(list[Any]):
    """Items of an iterator, of a `kind` such as a generator."""

    kind: str = ""


def drain(output: Any) -> Any:
    """Return an answer itself, or all items of a generator, whose code runs only while it is read."""
    if not isinstance(output, Iterator):
        return output
    items = DrainedItems(itertools.islice(output, MOST_LEAVES))
    items.kind = type(output).__name__
    return items


def is_container(output: Any) -> bool:
    """Return whether an answer holds arrays; nested lists of plain numbers are one."""
    kinds = (Sequence, Mapping, tf.RaggedTensor, tf.SparseTensor, tf.TensorArray)
    return isinstance(output, kinds) and not isinstance(output, str | bytes) and not _is_of_numbers(output)


def leaves(output: Any, place: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield tensors, arrays and lists of plain numbers, each with its place, such as ``[0][1]`` or ``['h']``."""
    opaque = not isinstance(output, Sequence | Mapping)
    output = open_content(output)
    if not is_container(output):
        yield place, output
    elif depth < MAX_DEPTH:
        for key, item in output.items() if isinstance(output, Mapping) else enumerate(output):
            yield from leaves(item, place if opaque else f"{place}[{key!r}]"[:MAX_PLACE], depth + 1)


def _is_of_numbers(output: Any) -> bool:
    for _ in range(MAX_DEPTH):
        if not isinstance(output, list | tuple) or not output:
            break
        output = output[0]
    return isinstance(output, int | float | np.number)


def arrays_inside(output: Any) -> tuple[dict[str, np.ndarray], list[list[str]]]:
    """Collect the leaves by shape: arrays ``inside/k`` of shape ``(n, ...)``, and the n places in each."""
    found: dict[tuple[int, ...], tuple[list[np.ndarray], list[str]]] = defaultdict(lambda: ([], []))
    numbers = 0
    for place, leaf in itertools.islice(leaves(output), MOST_LEAVES):
        if numbers > MOST_NUMBERS:
            break
        # A symbolic tensor, or an object of the student's own, may raise anything.
        with contextlib.suppress(Exception):
            array = np.asarray(leaf)
            numbers += array.size
            if array.dtype.kind not in NO_NUMBERS:
                arrays, places = found[array.shape]
                arrays.append(array.astype(np.float32))
                places.append(place)
    groups = list(found.values())[:MOST_SHAPES]
    return {f"inside/{k}": np.stack(arrays) for k, (arrays, _) in enumerate(groups)}, [places for _, places in groups]


def last_step(output: Any, timesteps: int) -> list[tf.Tensor]:
    """Return the last step of each tensor of an answer, as far as shapes show it; else the whole tensor."""
    tensors = [
        tf.cast(leaf, tf.float32)
        for _, leaf in leaves(output)
        if tf.is_tensor(leaf) and (leaf.dtype.is_floating or leaf.dtype.is_integer)
    ]
    of_all = [tensor for tensor in tensors if timesteps in tensor.shape]
    if of_all:
        axes = [tensor.shape.as_list().index(timesteps) for tensor in of_all]
        return [tensor[(slice(None),) * axis + (timesteps - 1,)] for tensor, axis in zip(of_all, axes, strict=True)]
    return tensors[-(len(tensors) // timesteps or len(tensors)) :]
