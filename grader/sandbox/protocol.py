"""Turns our questions into bytes, and bytes from the box into data.

Everything that comes back is the student's: it may be cut off, forged or garbage. Our own code splits the frames (see
runner/frames.py for the layout) and checks their JSON against the models below. safetensors reads the arrays: it
parses and never executes. Anything that does not fit raises `RunnerOutputInvalid`.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from grader.errors import RunnerOutputForged, RunnerOutputInvalid

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
# Twice the length that the driver cuts them to.
Name = Annotated[str, Field(max_length=400)]
Message = Annotated[str, Field(max_length=8000)]
Gate = Literal["I", "F", "C", "O"]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Lines = Annotated[list[Count], Field(max_length=50)]
Shape = Annotated[list[Count], Field(max_length=64)]  # NumPy's largest number of axes
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
PhaseName = Literal[
    "lockdown", "import", "build", "inject", "trial", "call", "repeat", "gradients", "probe", "notebook"
]


class Event(BaseModel):
    # Unknown fields are refused: both halves always have one version.
    model_config = ConfigDict(frozen=True, extra="forbid")


class Phase(Event):
    event: Literal["phase"]
    name: PhaseName


class Attempt(Event):
    """An attempt at something that the exercise does not need, on this line of the student's."""

    event: Literal["attempt"]
    code: (
        Literal["network", "subprocess", "gc_reference", "frame_walk", "write_outside", "reads_files"]
        | Literal["env_read", "copied_source", "result_pipe", "grader_module"]
    )
    what: Name
    line: Count


class StatementFailed(Event):
    event: Literal["statement_failed"]
    line: Count
    code: Literal["cell_failed", "cell_timed_out", "input_call"]
    type: Name
    message: Message
    # Names that it would define, "*" for all that a module has, and the module that it imports them from.
    binds: Annotated[list[Name], Field(max_length=200)] = []
    module: Name | None = None


class ClassFound(Event):
    event: Literal["class"]
    found: bool
    is_class: bool
    kind: Name
    is_model: bool
    own: bool
    bases: Annotated[list[Name], Field(max_length=50)]
    has_call: bool
    is_stub: bool


class Constructed(Event):
    """The construction of the student's class: arguments as texts, and parameters with a number as their default."""

    event: Literal["constructed"]
    arguments: Annotated[list[Name], Field(max_length=50)]
    defaults: Annotated[dict[Name, Count], Field(max_length=50)]
    open: bool = False  # whether other arguments are as likely


class Misshapen(BaseModel):
    """A weight that is named after a gate but has the wrong shape for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: Gate
    path: Name
    shape: Shape
    expected: Shape


class Parts(Event):
    event: Literal["parts"]
    roles: Annotated[dict[Name, Name], Field(max_length=20)]
    evidence: Literal["names", "numbers"] | None
    candidates: Count
    found: Annotated[list[Name], Field(max_length=100)]
    misshapen: Annotated[list[Misshapen], Field(max_length=20)] = []
    # Letters of the gates without a weight for the input, or for the hidden state.
    without_weights: dict[Literal["kernel", "recurrent_kernel"], Name] = {}
    drops: bool = False  # the code calls something dropout
    # Weights that the model does not know of, and objects that hold such weights.
    untracked: Annotated[dict[Name, Literal["variable", "holder"]], Field(max_length=20)] = {}
    more_untracked: bool = False  # there are more than these
    knows_none: bool = False  # the model knows of no weight at all


# For each array of a container: the places of its items.
Place = Annotated[str, Field(max_length=40)]
Places = Annotated[list[Annotated[list[Place], Field(max_length=4096)]], Field(max_length=8)]


class Trial(Event):
    event: Literal["trial"]
    case: Name
    inside: Places = []
    repeats: bool  # the same call gave the same answer
    pairing: dict[Literal["recurrent_kernel", "bias"], Annotated[list[Count], Field(min_length=4, max_length=4)]]


class BuiltIn(BaseModel):
    """Built-in recurrent code that was asked for while an answer was computed, or while its graph was made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    layer: Name | None  # the Keras class that it ran for
    line: Count | None
    is_global: bool  # that layer is a variable of the module


class CaseOutput(Event):
    event: Literal["output"]
    case: Name
    call: Literal[0, 1]
    reused: bool
    built_in: Annotated[list[BuiltIn], Field(max_length=50)] = []
    created: Count = 0  # variables created during the call
    kind: Name
    dtype: Name | None
    shape: Shape | None
    parts: Annotated[list[Shape], Field(max_length=20)] | None
    inside: Places = []
    own: bool = False  # an instance of a class that the student wrote
    global_name: Name | None = None  # the variable of the module that holds it
    # The model's gate weights for the input, and for the hidden state; 0 where nobody counted.
    kernels: Count = 0
    recurrent_kernels: Count = 0


class Gradients(Event):
    """Gradients of a sum of the answer times factors, with the arrays of `GRADIENTS` if the answer's shape is right."""

    event: Literal["gradients"]
    case: Name
    reach: Annotated[dict[Name, float | None], Field(max_length=1000)]
    first_timestep: float | None


class Raised(Event):
    event: Literal["raised"]
    phase: PhaseName | None
    case: Name | None
    type: Name
    bases: Annotated[list[Name], Field(max_length=50)]
    message: Message
    lines: Lines
    in_init: bool = False  # raised while the model was constructed


class HardCoded(Event):
    """A size that a class needs: it failed for the exercise's own case, and answers where this size is that number."""

    event: Literal["hard_coded"]
    sizes: dict[Literal["batch", "units"], Count]


class Called(Event):
    """A call of one of the notebook's models; `moment` names the `Weights` that it had."""

    event: Literal["called"]
    call: Count
    model: Count
    side: Literal["student", "keras"]
    statement: Count
    moment: Annotated[int, Field(ge=-1, lt=1000)]
    input: Name | None


class Weights(Event):
    """The weights of all models of the notebook, after some of them changed."""

    event: Literal["weights"]
    moment: Annotated[int, Field(ge=0, lt=1000)]
    statement: Count


class Shown(Event):
    """An output of the notebook, or a number that it bound to a name."""

    event: Literal["shown"]
    statement: Count
    via: Literal["print", "write", "value", "bound", "call", "raised"]
    kind: Literal["number", "bool", "array", "text", "other"]
    size: Annotated[int, Field(ge=0)]
    values: Annotated[list[float], Field(max_length=100)]
    text: Message


class Done(Event):
    event: Literal["done"]
    phases: dict[PhaseName, Seconds]
    # Library functions that the student's code replaced.
    patched: Annotated[list[Name], Field(max_length=20)] = []


AnyEvent = Annotated[
    Phase
    | Attempt
    | StatementFailed
    | ClassFound
    | Constructed
    | Parts
    | Trial
    | CaseOutput
    | Gradients
    | Raised
    | HardCoded
    | Called
    | Weights
    | Shown
    | Done,
    Field(discriminator="event"),
]
_EVENTS: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)

# Most events of a kind in one run. For failed statements this is the driver's own limit. Kinds that come once for
# each case have room for twenty.
MAX_EVENTS: dict[type[Event], int] = {
    Phase: 1000,
    Attempt: 25,
    StatementFailed: 100,
    ClassFound: 1,
    Constructed: 1,
    Parts: 1,
    Trial: 1,
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
