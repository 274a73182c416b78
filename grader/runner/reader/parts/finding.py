"""Finds the lines of the parts of an LSTM, and describes them.

A part that could not be followed has no line.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from reader.parts.answer_parts import answer_parts
from reader.parts.gate_parts import gate_parts
from reader.parts.part import Part
from reader.parts.state_parts import state_parts
from reader.parts.step import step_of
from reader.parts.update_parts import update_parts
from reader.plan.statement_plan import Plan
from reader.tracing.calls import TooMuchError
from reader.tracing.tracer import trace

MOST_PARTS, SECONDS = 120, 0.5


def parts(plan: Plan) -> list[dict[str, Any]]:
    """List `Part` as dictionaries, in the code that the class needs; nothing where it cannot be followed."""
    found: dict[Part, None] = {}
    deadline = time.process_time() + SECONDS
    try:
        for part in _parts(plan):
            found[part] = None
            if len(found) > MOST_PARTS or time.process_time() > deadline:
                return []
    except (TooMuchError, RecursionError):
        return []
    return [each.as_json() for each in found if each.first_line > 0]


def _parts(plan: Plan) -> Iterator[Part]:
    class_trace = trace(plan)
    if class_trace is None:
        return
    steps = [step for loop in class_trace.loops if (step := step_of(loop)) is not None]
    yield from answer_parts(class_trace, steps[0] if len(steps) == 1 else None)
    # Where two loops have cells, nothing says which one a mistake is in.
    if len(steps) == 1:
        yield from gate_parts(steps[0], class_trace)
        yield from update_parts(steps[0])
        yield from state_parts(steps[0], class_trace)
