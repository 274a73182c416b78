"""A class of a student's as the box would answer for it, without a box: its numbers come from a function.

`StudentClass.sandbox` is an `InMemorySandbox` that reads the trusted side's questions and answers them in frames, as
the driver does (grader/runner/driver.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors.numpy

from grader.sandbox import Kind, Outcome
from grader.sandbox.protocol import Arrays, decode_json, encode, split_frames
from reference import Case, CaseSpec, LSTMWeights, lstm_forward
from reference.cases import EDGE
from tests.unit.grader.in_memory import InMemorySandbox

SOURCE = "class LSTM(tf.keras.Model):\n    ..."
WEIGHTS = ("kernel", "recurrent_kernel", "bias")
READ = {
    "format": "py",
    "error": None,
    "source": SOURCE,
    "statements": [{"first_line": 1, "last_line": 2, "cell": 0, "run": True, "reason": "class"}],
    "class_line": 1,
}


@dataclass(frozen=True)
class Asked:
    """One question as the class sees it.

    Args:
        case: its `expected` comes from the oracle.
        reused: whether the model has seen another shape before.
        second: whether the same model was called on this shape just before.
        candidate: the reading of the weights that it was injected with.
    """

    case: Case
    reused: bool
    second: bool
    candidate: int


def right(asked: Asked) -> np.ndarray:
    return asked.case.expected


@dataclass
class StudentClass:
    """Behaviour of a class.

    Args:
        respond: its answer to a question, or an exception to raise.
        candidates: the readings of its weights that names leave open.
        events: what the run says before it looks for the class.
        found: whether there is a class.
        raises: raised while it is built.
        line: where its code raises.
        built_in: built-in code that each call asks for.
        again: sends an answer of a fresh model once more, at the end.
        ended: fields of the outcome of a run that does not come to its end.
        answers: number of questions that it answers before.
    """

    respond: Callable[[Asked], np.ndarray | Exception] = right
    candidates: int = 1
    events: Sequence[dict[str, Any]] = ()
    found: bool = True
    raises: Exception | None = None
    line: int = 2
    built_in: Sequence[dict[str, Any]] = ()
    again: bool = False
    ended: dict[str, Any] | None = None
    answers: int | None = None

    def run(self, request: bytes) -> Outcome:
        """Answer a request for a run."""
        frames = [encode(event, arrays or None) for event, arrays in self._events(request)]
        if self.again:
            frames.append(next(frame for frame in frames if b'"reused": false' in frame))
        if self.ended is None:
            frames.append(encode({"event": "done", "phases": {"call": 0.25}, "patched": []}))
        return Outcome(
            **{"result": b"".join(frames), "cpu_seconds": 1.0, "wall_seconds": 1.0, **(self.ended or {})},
        )

    def _events(self, request: bytes) -> Iterator[tuple[dict[str, Any], Arrays]]:
        asked, arrays = _decoded(request)
        yield {"event": "phase", "name": "import"}, {}
        for event in self.events:
            yield event, {}
        claims = dict.fromkeys(("found", "is_class", "is_model", "own", "has_call"), self.found)
        yield {"event": "class", "kind": "type", "bases": ["submission.LSTM"], "is_stub": False, **claims}, {}
        if not self.found:
            return
        yield {"event": "phase", "name": "build"}, {}
        if self.raises is not None:
            main = next(question for question in asked["questions"] if question["main"])
            yield self._raised(self.raises, "build", main["id"]), {}
            return
        yield {"event": "constructed", "arguments": [], "defaults": {}}, {}
        open = self.candidates > 1
        roles = {} if open else {"fcXI": "fcXI"}
        parts = {"event": "parts", "roles": roles, "evidence": None if open else "names", "found": ["fcXI (16, 32)"]}
        yield parts | {"candidates": self.candidates}, {}
        if open and asked["candidate"] is None:
            yield self._trial(next(question for question in asked["questions"] if question["trial"]), arrays)
            return
        yield {"event": "phase", "name": "call"}, {}
        for question in (*asked["questions"], *asked["probes"])[: self.answers]:
            yield from self._answer(question, arrays, asked["candidate"] or 0)

    def _trial(self, question: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
        case = _case(question, arrays)
        answers = [self.respond(Asked(case, True, False, candidate)) for candidate in range(self.candidates)]
        event = {"event": "trial", "case": question["id"], "repeats": True, "pairing": {}}
        return event, {"output": np.stack(answers).astype(np.float32)}

    def _answer(
        self, question: dict[str, Any], arrays: Arrays, candidate: int
    ) -> Iterator[tuple[dict[str, Any], Arrays]]:
        case, second = _case(question, arrays), question["follows"] is not None
        reused = second or not question["fresh"]
        answer = self.respond(Asked(case, reused, second, candidate))
        if isinstance(answer, Exception):
            yield self._raised(answer, "call", question["id"]), {}
            return
        answer = np.array(answer, np.float32)
        output = {"event": "output", "case": question["id"], "call": 0, "reused": reused, "kind": "tensor"}
        shape = {"dtype": "float32", "shape": list(answer.shape), "parts": None}
        yield output | shape | {"built_in": list(self.built_in)}, {"output": answer}
        if question["measure"]:
            gradients = vars(case.weights.gradients(case.x, arrays[f"{question['id']}/factors"]))
            reach = {"event": "gradients", "case": question["id"], "reach": {"fcXI": 1.0}, "first_timestep": 1.0}
            yield reach, {name: np.ascontiguousarray(gradients[name]) for name in ("x", *WEIGHTS)}

    def _raised(self, exc: Exception, phase: str, case: str) -> dict[str, Any]:
        bases = [each.__name__ for each in type(exc).__mro__]
        event = {"event": "raised", "phase": phase, "case": case, "type": bases[0], "bases": bases}
        return event | {"message": str(exc), "lines": [self.line], "in_init": phase == "build"}

    def sandbox(self, under_keras2: StudentClass | None = None) -> InMemorySandbox:
        """Return a box in which this is the class, read without a mistake; `under_keras2`: what it does there."""
        return box({Kind.KERAS3: self.run, Kind.KERAS2: (under_keras2 or self).run})


def box(runs: dict[Kind, Any], read: Outcome | None = None) -> InMemorySandbox:
    """Return a box that reads every file as `read`, and answers requests by kind."""
    answers = {Kind.READER: read or reading()} | runs
    return InMemorySandbox({kind: [answer] for kind, answer in answers.items()})


def reading(**changes: Any) -> Outcome:
    """Return the reader's answer for a file without a mistake, some fields changed."""
    return Outcome(result=encode(READ | changes))


def request_of(sandbox: InMemorySandbox, run: int) -> tuple[dict[str, Any], Arrays]:
    """Return what the box was asked in its first run, the second and so on; reading the file is none."""
    requests = [request for kind, request, _ in sandbox.requests if kind is not Kind.READER]
    return _decoded(requests[run])


def _decoded(request: bytes) -> tuple[dict[str, Any], Arrays]:
    [(body, block)], _ = split_frames(request)
    return decode_json(body), safetensors.numpy.load(block)


def _case(question: dict[str, Any], arrays: Arrays) -> Case:
    name = question["id"]
    weights = LSTMWeights(*(arrays[f"{name}/{array}"] for array in WEIGHTS))
    x = arrays[f"{name}/x"]
    spec = CaseSpec(id=name, visibility="hidden", category=EDGE, seed=0, **question["sizes"])
    return Case(spec, x, weights, lstm_forward(x, weights).h.astype(np.float32))
