"""Finds the lines of the parts of the layer, describes them, and reads its formulas.

A part that could not be followed has no line.
"""

import time
from collections.abc import Iterator
from typing import Any

from reader.parts.answer_parts import answer_parts
from reader.parts.formulas import formulas
from reader.parts.gate_order import unpack_names
from reader.parts.gate_parts import gate_parts
from reader.parts.part import Part
from reader.parts.state_parts import state_parts
from reader.parts.step import Step, step_of
from reader.parts.update_parts import update_parts
from reader.plan.statement_plan import Plan
from reader.tracing.calls import TooMuchError
from reader.tracing.tracer import trace
from reader.tracing.traces import Trace

MOST_PARTS, SECONDS = 120, 1.5


def parts(plan: Plan) -> dict[str, Any]:
    """Describe the code that the class needs; nothing where it cannot be followed.

    Returns:
        ``parts``, each `Part` as a dictionary; ``formulas``, see `reader.parts.formulas`; ``unpack_names``,
        see `reader.parts.gate_order`.
    """
    all_parts: dict[Part, None] = {}
    found: dict[str, Any] = {"parts": [], "formulas": {}, "unpack_names": []}
    deadline = time.thread_time() + SECONDS
    try:
        class_trace = trace(plan)
        if class_trace is None:
            return found
        found["unpack_names"] = unpack_names(class_trace)
        steps = [step for loop in class_trace.loops if (step := step_of(loop)) is not None]
        # Where two loops have cells, nothing says which one a mistake is in, unless one stands in the other.
        outer = [step.loop.outer for step in steps]
        step = steps[0] if steps and outer[:-1] == [each.loop for each in steps[1:]] else None
        for part in _parts(class_trace, step):
            all_parts[part] = None
            if len(all_parts) > MOST_PARTS or time.thread_time() > deadline:
                return found
        written = formulas(step, class_trace) if step is not None and len(steps) == 1 else {}
    except (TooMuchError, RecursionError):
        return found
    listed = [{**vars(each), "what": list(each.what)} for each in all_parts if each.first_line > 0]
    return found | {"parts": listed, "formulas": written}


def _parts(class_trace: Trace, step: Step | None) -> Iterator[Part]:
    yield from answer_parts(class_trace, step)
    if step is not None:
        yield from gate_parts(step, class_trace)
        yield from update_parts(step)
        yield from state_parts(step, class_trace)
