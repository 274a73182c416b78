"""Whatever bytes come out of the box, they are events or `RunnerOutputInvalid`."""

import contextlib
import gc
import json
import time
from collections.abc import Callable
from typing import Literal
from unittest.mock import Mock

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from grader.errors import RunnerOutputInvalid
from grader.sandbox.events import CaseOutput, Done, Event
from grader.sandbox.protocol import (
    ARRAYS_HEADER,
    EVENTS,
    HEADER,
    MAX_FRAMES,
    Frames,
    decode_events,
    decode_json,
    encode,
    split_frames,
)
from tests.growth import assert_in_proportion

OUTPUT = {
    "event": "output",
    "case": "exercise",
    "call": 0,
    "reused": False,
    "kind": "tensor",
    "dtype": "float32",
    "shape": [2, 3, 4],
    "parts": None,
}
DONE = {"event": "done", "phases": {"call": 0.5}}
ARRAY = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
NEARLY = st.builds(
    lambda event, key, value: {**event, key: value},
    st.sampled_from([OUTPUT, DONE, {"event": "phase", "name": "call"}]),
    st.sampled_from([*OUTPUT, "phases", "name", "more"]),
    JSON,
)
SAMPLES = {
    "phase": {"name": "call"},
    "reach": {"code": "network", "what": "socket.connect", "line": 3},
    "statement_failed": {"line": 1, "raised_at": 1, "code": "cell_failed", "type": "NameError", "message": "no"},
    "class": {
        **dict.fromkeys(("found", "is_class", "is_model", "own", "has_call"), True),
        "kind": "type",
        "bases": [],
        "is_stub": False,
    },
    "constructed": {"arguments": ["units=32"], "defaults": {"units": 64}},
    "hard_coded": {"sizes": {"batch": 10}},
    "parts": {"roles": {}, "evidence": None, "candidates": 0, "found": []},
    "trial": {"case": "exercise", "pairing": {}, "repeats": True},
    "equal": {"case": "exercise"},
    "output": {key: value for key, value in OUTPUT.items() if key != "event"},
    "gradients": {"case": "exercise", "reach": {}, "first_timestep": None},
    "called": {"call": 0, "model": 0, "side": "student", "statement": 1, "moment": -1, "input": None},
    "weights": {"moment": 0, "statement": 1},
    "shown": {"statement": 1, "via": "print", "kind": "number", "size": 1, "values": [0.5], "text": ""},
    "raised": {"phase": "call", "case": None, "type": "E", "bases": [], "message": "", "lines": []},
}
NO_ARRAY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
BLOCKS = st.binary(max_size=60) | st.builds(
    lambda array: safetensors.numpy.save({"output": array}),
    arrays(np.float32, array_shapes(max_dims=3, max_side=3)),
)


def _frame(body: bytes, block: bytes = b"") -> bytes:
    return HEADER.pack(len(body), len(block)) + body + block


def _assert_events_or_invalid(raw: bytes) -> None:
    with contextlib.suppress(RunnerOutputInvalid):
        events, complete = decode_events(raw, ended_by_itself=False)
        assert complete == (bool(events) and isinstance(events[-1][0], Done))


@given(st.binary(max_size=300))
def test_any_bytes_are_events_or_invalid(raw):
    _assert_events_or_invalid(raw)


@given(st.lists(st.tuples(JSON | NEARLY, BLOCKS), max_size=4))
def test_any_json_and_any_arrays_are_events_or_invalid(frames):
    _assert_events_or_invalid(b"".join(_frame(json.dumps(body).encode(), block) for body, block in frames))


@given(st.integers(0, 400), st.integers(0, 255))
def test_one_changed_byte_in_an_answer_is_an_answer_or_invalid(place, byte):
    raw = bytearray(encode(OUTPUT, {"output": ARRAY}) + encode(DONE))
    raw[place % len(raw)] = byte
    _assert_events_or_invalid(bytes(raw))


@given(st.integers(0, 500))
def test_an_answer_that_is_cut_off_anywhere_is_never_complete(length):
    raw = encode(OUTPUT, {"output": ARRAY}) + encode(DONE)
    _, complete = decode_events(raw[: min(length, len(raw) - 1)], ended_by_itself=False)
    assert not complete


@given(arrays(np.float32, array_shapes(max_dims=4, max_side=4), elements=st.floats(width=32)))
def test_arrays_arrive_as_they_were_sent(array):
    raw = encode({**OUTPUT, "shape": list(array.shape)}, {"output": array}) + encode(DONE)
    [(event, decoded), _], complete = decode_events(raw, ended_by_itself=True)
    assert complete
    assert isinstance(event, CaseOutput)
    np.testing.assert_array_equal(decoded["output"], array)


@pytest.mark.parametrize("raw", [HEADER.pack(20, 0) + b"{", encode(DONE)[:-1], encode(OUTPUT, {"output": ARRAY})[:-1]])
def test_a_cut_answer_is_invalid_when_nothing_cut_it_off(raw):
    assert decode_events(raw, ended_by_itself=False) == ([], False)
    with pytest.raises(RunnerOutputInvalid):
        decode_events(raw, ended_by_itself=True)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(encode(OUTPUT, {"output": ARRAY.astype(np.int64)}), id="integers"),
        pytest.param(encode(OUTPUT, {"output": ARRAY, "more": ARRAY}), id="more arrays"),
        pytest.param(encode(OUTPUT, {"other": ARRAY}), id="another array"),
        pytest.param(encode(OUTPUT, {"output": ARRAY[:1]}), id="another shape"),
        pytest.param(encode(DONE, {"output": ARRAY}), id="arrays where none belong"),
        pytest.param(encode(DONE) + encode(DONE), id="two ends"),
        pytest.param(encode(DONE) + b"x", id="a byte after the end"),
        pytest.param(encode({**DONE, "more": 1}), id="an unknown key"),
        pytest.param(encode({"event": "verdict"}), id="an unknown event"),
        pytest.param(_frame(b"[" * 100_000), id="deep JSON"),
        pytest.param(_frame(b"9" * 10_000), id="a number of ten thousand digits"),
        pytest.param(_frame(b"\xff"), id="not UTF-8"),
        pytest.param(_frame(b'{"event": "done", "phases": {}}', b"\xff" * 20), id="arrays that are none"),
        pytest.param(encode({"event": "phase", "name": "call"}) * (MAX_FRAMES + 1), id="too many frames"),
        pytest.param(encode({**OUTPUT, "kind": "k" * 10_000}), id="a long text"),
        pytest.param(encode({"event": "called", **SAMPLES["called"], "model": 40}), id="a model too many"),
    ],
)
def test_events_that_the_runner_never_sends_are_invalid(raw):
    with pytest.raises(RunnerOutputInvalid):
        decode_events(raw, ended_by_itself=False)


@pytest.mark.parametrize("name", SAMPLES)
def test_of_each_event_a_run_has_a_limited_number(name):
    (most,) = (kind.MOST for kind in Event.__subclasses__() if kind.model_fields["event"].annotation == Literal[name])
    event = encode({"event": name, **SAMPLES[name]})
    events, _ = decode_events(event * most)
    assert len(events) == most
    with pytest.raises(RunnerOutputInvalid):
        decode_events(event * (most + 1))


def test_there_is_a_sample_of_every_kind_of_event():
    kinds = {kind.model_fields["event"].annotation.__args__[0] for kind in Event.__subclasses__()}
    assert {"done", *SAMPLES} == kinds


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"{" + b" " * 10_000_000 + b"}", id="ten megabytes of nothing"),
        pytest.param(b'{"output":' * 100_000, id="depth"),
        pytest.param(json.dumps({str(n): NO_ARRAY for n in range(100_000)}).encode(), id="a hundred thousand names"),
    ],
)
def test_a_long_header_of_an_array_is_not_read(header, monkeypatch):
    # A million names would take twelve seconds and a gigabyte.
    monkeypatch.setattr(safetensors.numpy, "load", lambda block: pytest.fail("it was read"))
    block = ARRAYS_HEADER.pack(len(header)) + header
    with pytest.raises(RunnerOutputInvalid):
        decode_events(_frame(json.dumps(OUTPUT).encode(), block))


@pytest.mark.parametrize(
    "shape", [[0, 2**62], [2**62, 0], [2**64, 0], [0] * 65, [-1, 0], [0.5], [True], None, {}, [[0]]]
)
def test_a_shape_that_no_array_has_is_invalid(shape):
    header = json.dumps({"output": {**NO_ARRAY, "shape": shape}}).encode()
    with pytest.raises(RunnerOutputInvalid):
        decode_events(_frame(json.dumps(OUTPUT).encode(), ARRAYS_HEADER.pack(len(header)) + header))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", str(2**70), str(-(2**70))])
@pytest.mark.parametrize(
    ("event", "key"),
    [("statement_failed", "line"), ("raised", "lines"), ("parts", "candidates"), ("output", "shape")],
)
def test_numbers_that_no_report_can_hold_are_invalid(event, key, number):
    value = f"[{number}]" if key in ("lines", "shape") else number
    text = json.dumps({"event": event, **SAMPLES[event], key: "HERE"}).replace('"HERE"', value)
    for body in (text, f'{{"event": "done", "phases": {{"call": {number}}}}}'):
        with pytest.raises(RunnerOutputInvalid):
            decode_events(_frame(body.encode()), ended_by_itself=False)


# --- what it costs us -------------------------------------------------------------------------------------------------

MIB = 1 << 20
# A run may say these for next to nothing. Each makes so many bytes.
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "one frame that names its end": lambda size: HEADER.pack(2, size) + b"{}" + b'"done"' * (size // 6),
    "an end of megabytes": lambda size: _frame(b'{"event":"done","phases":{' + b'"a":0,' * (size // 6) + b'"b":0}}'),
    "frames of two bytes": lambda size: _frame(b"{}") * (size // 10),
    "frames that are nearly ends": lambda size: _frame(b'"done"') * (size // 14),
    "no frame": lambda size: b'"done"\xff\xff' * (size // 8),
    "deep JSON": lambda size: _frame(b"[" * size),
    "a number": lambda size: _frame(b"9" * size),
    "a text": lambda size: encode({**OUTPUT, "kind": "\u0416" * (size // 6)}),
    "keys that no event has": lambda size: encode(DONE | {f"{key:050}": 0 for key in range(size // 56)}),
    "lists of lists": lambda size: _frame(b'{"event":"done","phases":[' + b"[]," * (size // 3) + b"[]]}"),
    "an array": lambda size: encode(OUTPUT, {"output": np.zeros(size // 4, np.float32)}),
    "places of an array's items": lambda size: encode({**OUTPUT, "inside": [["0"] * 4000] * 8}) * (size // 160_000),
}


def _cpu_seconds(raw: bytes) -> float:
    """The CPU time of the trusted side for these bytes: as they come in pieces, and afterwards."""
    before = time.thread_time()
    frames, kept = Frames(EVENTS), bytearray()
    with contextlib.suppress(RunnerOutputInvalid):
        for at in range(0, len(raw), 4096):
            kept += raw[at : at + 4096]
            frames.follow(kept)
            frames.has_ended(kept)
    with contextlib.suppress(RunnerOutputInvalid):
        decode_events(raw)
    return time.thread_time() - before


@pytest.fixture
def _no_garbage_is_collected():
    """A collection would go through what all tests of this process have left."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_garbage_is_collected")
@pytest.mark.parametrize("name", HOSTILE)
def test_an_answer_costs_time_in_proportion_to_its_length_and_little(name):
    least = assert_in_proportion(lambda size: _cpu_seconds(HOSTILE[name](size)), 2 * MIB)
    assert least[-1] < 1.0


def test_a_frame_is_refused_by_its_header_before_it_is_there(monkeypatch):
    assert split_frames(HEADER.pack(1, 2**32 - 1) + b"x") == ([], True)
    monkeypatch.setattr(json, "loads", lambda text: pytest.fail("it was read"))
    for length in (EVENTS.frame + 1, 60 * MIB):
        with pytest.raises(RunnerOutputInvalid):
            Frames(EVENTS).follow(HEADER.pack(length, 0))
    full = HEADER.pack(EVENTS.frame, 0) + b" " * EVENTS.frame
    with pytest.raises(RunnerOutputInvalid):
        Frames(EVENTS).follow(full * (EVENTS.stream // EVENTS.frame) + HEADER.pack(1, 0))
    with pytest.raises(RunnerOutputInvalid):
        Frames(EVENTS).follow(_frame(b"") * MAX_FRAMES + HEADER.pack(0, 0))


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_the_end_is_seen_with_its_last_byte_whatever_the_pieces(step):
    raw = encode(OUTPUT, {"output": ARRAY}) + encode(DONE)
    frames, ended = Frames(EVENTS), []
    for end in [*range(step, len(raw), step), len(raw)]:
        frames.follow(raw[:end])
        ended.append(frames.has_ended(raw[:end]))
    assert ended == [False] * (len(ended) - 1) + [True]


@pytest.mark.parametrize(
    "last", [encode({"event": "phase", "name": "call"}), _frame(b'"done"'), _frame(b'"done'), encode(DONE) + b"x"]
)
def test_other_last_bytes_are_no_end(last):
    frames, raw = Frames(EVENTS), encode(OUTPUT) + last
    frames.follow(raw)
    assert not frames.has_ended(raw)


def test_json_that_fills_the_memory_is_invalid(monkeypatch):
    monkeypatch.setattr(json, "loads", Mock(side_effect=MemoryError))
    with pytest.raises(RunnerOutputInvalid):
        decode_json(b"[[],[]]")
