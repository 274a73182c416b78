"""Turns our questions into bytes, and bytes from the box into data.

Everything that comes back is the student's: it may be cut off, forged or garbage. Our own code splits the frames (see
runner/frames.py for the layout) and checks their JSON against the models of `grader.sandbox.events`. safetensors reads
the arrays: it parses and never executes. Anything that does not fit raises `RunnerOutputInvalid`.
"""

import json
import math
import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from grader.errors import RunnerOutputForged, RunnerOutputInvalid
from grader.sandbox import events

HEADER = struct.Struct("<II")
# An honest `Done` is shorter.
LARGEST_DONE = 16384
# An event carries one header with the names, types and shapes of arrays; safetensors makes an object of each.
MAX_ARRAYS_HEADER_BYTES = 1 << 12
ARRAYS_HEADER = struct.Struct("<Q")

#: Names of the arrays of a `Weights`: the model's number, and the weight's name in the Keras layer.
WEIGHT = re.compile(r"([1-3]?\d)/(kernel|recurrent_kernel|bias)")

#: Names of the arrays of a `Gradients`.
GRADIENTS = frozenset({"x", "kernel", "recurrent_kernel", "bias"})

T = TypeVar("T", bound="events.Event")
Arrays = dict[str, NDArray[Any]]
_EVENTS: TypeAdapter[events.AnyEvent] = TypeAdapter(events.AnyEvent)

MAX_FRAMES = sum(kind.MOST for kind in events.Event.__subclasses__())


class Bounds(NamedTuple):
    """Most bytes of JSON in one frame, and in all frames of a stream together."""

    frame: int
    stream: int


#: For events of the driver: 40 times the largest honest one, and a notebook that prints Cyrillic as often as it may.
EVENTS = Bounds(1 << 20, 8 << 20)
#: For the reader, which repeats the source of a file. The pipe itself carries no more.
READING = Bounds(64 << 20, 64 << 20)


def encode(body: Mapping[str, object], arrays: Arrays | None = None) -> bytes:
    """Encode one frame."""
    text = json.dumps(body).encode()
    block = safetensors.numpy.save(arrays) if arrays else b""
    return HEADER.pack(len(text), len(block)) + text + block


class Frames:
    """The frames of a stream, followed by their headers while it arrives: no byte is copied or looked at twice."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._json = 0
        self._end = 0
        self._spans: list[tuple[int, int, int]] = []
        self._looked_at_last = False

    def follow(self, raw: bytes | bytearray) -> None:
        """Go on to the last complete frame of the stream so far.

        Raises:
            RunnerOutputInvalid: a frame is larger than any that a run sends, or there are more. Nothing was read of it.
        """
        while len(raw) - self._end >= HEADER.size:
            if len(self._spans) == MAX_FRAMES:
                raise RunnerOutputInvalid(f"the box sent more than {MAX_FRAMES} frames")
            json_length, block_length = HEADER.unpack_from(raw, self._end)
            if json_length > self._bounds.frame or self._json + json_length > self._bounds.stream:
                raise RunnerOutputInvalid(f"the box sent {json_length} bytes of JSON after {self._json}")
            start = self._end + HEADER.size
            end = start + json_length + block_length
            if end > len(raw):
                return
            self._spans.append((start, start + json_length, end))
            self._end = end
            self._json += json_length
            self._looked_at_last = False

    def is_cut_off(self, raw: bytes | bytearray) -> bool:
        return self._end < len(raw)

    def has_ended(self, raw: bytes | bytearray) -> bool:
        """Return whether the last frame is complete and is that of `Done`. Each frame is read for this at most once."""
        if self._looked_at_last or not self._spans or self.is_cut_off(raw):
            return False
        self._looked_at_last = True
        start, end, _ = self._spans[-1]
        if end - start > LARGEST_DONE or raw.find(b'"done"', start, end) < 0:
            return False
        try:
            return bool(decode_json(bytes(raw[start:end])).get("event") == "done")
        except (RunnerOutputInvalid, AttributeError):
            return False

    def parts(self, raw: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the JSON and the arrays of each frame, still unread."""
        for start, between, end in self._spans:
            yield raw[start:between], raw[between:end]


def split_frames(raw: bytes, bounds: Bounds = READING) -> tuple[list[tuple[bytes, bytes]], bool]:
    """Split `raw` into frames, as pairs of JSON and arrays, still unread. Tell whether the last one was cut off.

    Raises:
        RunnerOutputInvalid: see `Frames.follow`.
    """
    frames = Frames(bounds)
    frames.follow(raw)
    return list(frames.parts(raw)), frames.is_cut_off(raw)


def decode_json(text: bytes) -> Any:
    """Decode JSON from the box.

    Raises:
        RunnerOutputInvalid: it is not JSON, or is nested too deeply, or becomes more objects than memory holds.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError, MemoryError) as exc:
        raise RunnerOutputInvalid(f"the box answered with something that is not JSON: {exc}") from exc


def decode_events(raw: bytes, *, ended_by_itself: bool = False) -> tuple[list[tuple[events.AnyEvent, Arrays]], bool]:
    """Read the answer of the driver.

    Args:
        ended_by_itself: the process was not killed, so nothing can have cut its last frame off.
    Returns:
        the events in order, each with its arrays, and whether the answer is complete (``done`` came, and came last).
    Raises:
        RunnerOutputInvalid: the driver does not send something that is in it.
    """
    frames, cut_off = split_frames(raw, EVENTS)
    decoded: list[tuple[events.AnyEvent, Arrays]] = []
    counts: Counter[type[events.Event]] = Counter()
    for text, block in frames:
        try:
            event = _EVENTS.validate_python(decode_json(text))
        except ValidationError as exc:
            # Not its messages: there is one for each of a hundred thousand wrong keys.
            raise RunnerOutputInvalid(f"the box sent an event that does not exist, by {exc.error_count()}") from exc
        if decoded and isinstance(decoded[-1][0], events.Done):
            raise RunnerOutputForged("the box sent more after its last event")
        counts[type(event)] += 1
        if counts[type(event)] > event.MOST:
            raise RunnerOutputForged(f"the box sent more than {event.MOST} events {event.event!r}")
        decoded.append((event, _decode_arrays(event, block)))
    complete = bool(decoded) and isinstance(decoded[-1][0], events.Done)
    if cut_off and (complete or ended_by_itself):
        raise RunnerOutputInvalid("the box sent bytes that are no frame")
    return decoded, complete


def _decode_arrays(event: events.AnyEvent, block: bytes) -> Arrays:
    expected: set[str] = set()
    if isinstance(event, events.Trial | events.CaseOutput):
        is_open = bool(event.inside) or (isinstance(event, events.CaseOutput) and event.parts is not None)
        expected = {f"inside/{k}" for k in range(len(event.inside))} if is_open else {"output"}
    elif isinstance(event, events.Gradients):
        expected = set(GRADIENTS)
    elif isinstance(event, events.Equal):
        expected = {"gradients"}
    if not block:
        return {}
    if len(block) < ARRAYS_HEADER.size or ARRAYS_HEADER.unpack_from(block)[0] > MAX_ARRAYS_HEADER_BYTES:
        raise RunnerOutputInvalid("the box sent more arrays than one")
    try:
        arrays = safetensors.numpy.load(block)
    except (safetensors.SafetensorError, KeyError, ValueError) as exc:
        raise RunnerOutputInvalid(f"the box sent arrays that cannot be read: {exc}") from exc
    if arrays.keys() != expected and not (isinstance(event, events.Weights) and all(map(WEIGHT.fullmatch, arrays))):
        raise RunnerOutputForged("the box answered with other arrays than it was asked for")
    for name, array in arrays.items():
        if array.dtype not in (np.float32, np.float64) or math.prod(array.shape) > 50_000_000:
            raise RunnerOutputInvalid(f"the array {name!r} is {array.dtype}, {array.shape}")
    if isinstance(event, events.CaseOutput):
        shaped = "output" not in arrays or list(arrays["output"].shape) == event.shape
        counted = all(arrays[f"inside/{k}"].shape[:1] == (len(places),) for k, places in enumerate(event.inside))
        if not (shaped and counted):
            raise RunnerOutputInvalid("an array does not have the shape that the box said")
    return arrays


def select(events: Iterable[tuple[events.AnyEvent, Arrays]], kind: type[T]) -> list[T]:
    """Return the events of one kind, in order."""
    return [event for event, _ in events if isinstance(event, kind)]
