"""Turns our questions into bytes, and bytes from the box into data.

Everything that comes back is the student's: it may be cut off, forged or garbage. Our own code splits the frames (see
runner/frames.py for the layout) and checks their JSON against the models of `grader.sandbox.events`. safetensors reads
the arrays: it parses and never executes. Anything that does not fit raises `RunnerOutputInvalid`.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from grader.errors import RunnerOutputForged, RunnerOutputInvalid
from grader.sandbox.events import (
    AnyEvent,
    Called,
    CaseOutput,
    ClassFound,
    Constructed,
    Done,
    Equal,
    Event,
    Gradients,
    HardCoded,
    Parts,
    Phase,
    Raised,
    Reach,
    Shown,
    StatementFailed,
    Trial,
    Weights,
)

HEADER = struct.Struct("<II")
MAX_FRAMES = 20_000
# An honest `Done` is shorter.
LARGEST_DONE = 16384
# One event of the driver: 40 times the largest honest one, and small enough to become Python objects.
MAX_EVENT_BYTES = 1 << 20
# An event carries one header with the names, types and shapes of arrays; safetensors makes an object of each.
MAX_ARRAYS_HEADER_BYTES = 1 << 12
ARRAYS_HEADER = struct.Struct("<Q")

#: Names of the arrays of a `Weights`: the model's number, and the weight's name in a Keras LSTM.
WEIGHT = re.compile(r"(\d{1,3})/(kernel|recurrent_kernel|bias)")

#: Names of the arrays of a `Gradients`.
GRADIENTS = frozenset({"x", "kernel", "recurrent_kernel", "bias"})

T = TypeVar("T", bound="Event")
Arrays = dict[str, NDArray[Any]]
_EVENTS: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)

# Most events of a kind in one run. For failed statements this is the driver's own limit. Kinds that come once for
# each case have room for twenty.
MAX_EVENTS: dict[type[Event], int] = {
    Phase: 1000,
    Reach: 25,
    StatementFailed: 100,
    ClassFound: 1,
    Constructed: 1,
    Parts: 1,
    Trial: 1,
    Equal: 20,
    CaseOutput: 200,
    Gradients: 20,
    Raised: 100,
    HardCoded: 1,
    Called: 400,
    Weights: 16,
    Shown: 400,
    Done: 1,
}


def encode(body: Mapping[str, object], arrays: Arrays | None = None) -> bytes:
    """Encode one frame."""
    text = json.dumps(body).encode()
    block = safetensors.numpy.save(arrays) if arrays else b""
    return HEADER.pack(len(text), len(block)) + text + block


def split_frames(raw: bytes) -> tuple[list[tuple[bytes, bytes]], bool]:
    """Split `raw` into frames, as pairs of JSON and arrays, still unread. Tell whether the last one was cut off.

    Raises:
        RunnerOutputInvalid: more frames than any run sends.
    """
    frames: list[tuple[bytes, bytes]] = []
    offset = 0
    while offset < len(raw):
        if len(frames) == MAX_FRAMES:
            raise RunnerOutputInvalid(f"the box sent more than {MAX_FRAMES} frames")
        if offset + HEADER.size > len(raw):
            return frames, True
        text_length, block_length = HEADER.unpack_from(raw, offset)
        start = offset + HEADER.size
        end = start + text_length + block_length
        if end > len(raw):
            return frames, True
        frames.append((raw[start : start + text_length], raw[start + text_length : end]))
        offset = end
    return frames, False


def has_ended(raw: bytes | bytearray) -> bool:
    """Return whether the last frame is complete and is that of `Done`."""
    if b'"done"' not in raw[-LARGEST_DONE:]:
        return False
    try:
        frames, cut_off = split_frames(bytes(raw))
        return not cut_off and decode_json(frames[-1][0]).get("event") == "done"
    except (RunnerOutputInvalid, AttributeError):
        return False


def decode_json(text: bytes) -> Any:
    """Decode JSON from the box.

    Raises:
        RunnerOutputInvalid: it is not JSON, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise RunnerOutputInvalid(f"the box answered with something that is not JSON: {exc}") from exc


def decode_events(raw: bytes, *, ended_by_itself: bool = False) -> tuple[list[tuple[AnyEvent, Arrays]], bool]:
    """Read the answer of the driver.

    Args:
        ended_by_itself: the process was not killed, so nothing can have cut its last frame off.
    Returns:
        the events in order, each with its arrays, and whether the answer is complete (``done`` came, and came last).
    Raises:
        RunnerOutputInvalid: the driver does not send something that is in it.
    """
    frames, cut_off = split_frames(raw)
    events: list[tuple[AnyEvent, Arrays]] = []
    seen: Counter[type[Event]] = Counter()
    for text, block in frames:
        if len(text) > MAX_EVENT_BYTES:
            raise RunnerOutputInvalid(f"the box sent an event of {len(text)} bytes")
        try:
            event = _EVENTS.validate_python(decode_json(text))
        except ValidationError as exc:
            raise RunnerOutputInvalid(f"the box sent an event that does not exist: {exc.errors()[0]['msg']}") from exc
        if events and isinstance(events[-1][0], Done):
            raise RunnerOutputForged("the box sent more after its last event")
        seen[type(event)] += 1
        if seen[type(event)] > MAX_EVENTS[type(event)]:
            raise RunnerOutputForged(f"the box sent more than {MAX_EVENTS[type(event)]} events {event.event!r}")
        events.append((event, _decode_arrays(event, block)))
    complete = bool(events) and isinstance(events[-1][0], Done)
    if cut_off and (complete or ended_by_itself):
        raise RunnerOutputInvalid("the box sent bytes that are no frame")
    return events, complete


def _decode_arrays(event: AnyEvent, block: bytes) -> Arrays:
    wanted: set[str] = set()
    if isinstance(event, Trial | CaseOutput):
        is_open = bool(event.inside) or (isinstance(event, CaseOutput) and event.parts is not None)
        wanted = {f"inside/{k}" for k in range(len(event.inside))} if is_open else {"output"}
    elif isinstance(event, Gradients):
        wanted = set(GRADIENTS)
    elif isinstance(event, Equal):
        wanted = {"gradients"}
    if not block:
        return {}
    if len(block) < ARRAYS_HEADER.size or ARRAYS_HEADER.unpack_from(block)[0] > MAX_ARRAYS_HEADER_BYTES:
        raise RunnerOutputInvalid("the box sent more arrays than one")
    try:
        arrays = safetensors.numpy.load(block)
    except (safetensors.SafetensorError, KeyError, ValueError) as exc:
        raise RunnerOutputInvalid(f"the box sent arrays that cannot be read: {exc}") from exc
    if arrays.keys() != wanted and not (isinstance(event, Weights) and all(map(WEIGHT.fullmatch, arrays))):
        raise RunnerOutputForged("the box answered with other arrays than it was asked for")
    for name, array in arrays.items():
        if array.dtype not in (np.float32, np.float64) or math.prod(array.shape) > 50_000_000:
            raise RunnerOutputInvalid(f"the array {name!r} is {array.dtype}, {array.shape}")
    if isinstance(event, CaseOutput):
        shaped = "output" not in arrays or list(arrays["output"].shape) == event.shape
        counted = all(arrays[f"inside/{k}"].shape[:1] == (len(places),) for k, places in enumerate(event.inside))
        if not (shaped and counted):
            raise RunnerOutputInvalid("an array does not have the shape that the box said")
    return arrays


def select(events: Iterable[tuple[AnyEvent, Arrays]], kind: type[T]) -> list[T]:
    """Return the events of one kind, in order."""
    return [event for event, _ in events if isinstance(event, kind)]
