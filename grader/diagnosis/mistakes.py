"""Known mistakes of the bank as diagnoses, with the fitting sentence where mistakes with one code differ."""

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from grader.diagnosis.concerns import has_no_loop
from grader.diagnosis.evidence import Evidence
from grader.diagnosis.understanding import repeats_itself
from grader.diagnosis.weights import OTHER_CELLS, unused_layers, vectors_for_h, without_weights
from grader.numerics.written_formulas import CODE
from grader.report.finding import Params
from grader.report.model import Diagnosis, RunnerUp
from reference import GATES
from reference.lstm.misconceptions import Mistake

#: Random things in a class. The initializers of weights are not among them at a second call.
RANDOM = re.compile(r"(?<!_)(?:random|dropout|noise|shuffle|uniform|normal)", re.IGNORECASE)
FOR_NAMES, CALLED, WORD = re.compile(r"\bfor\b(.{1,80}?)\bin\b"), re.compile(r"\b(\w{1,60})\("), re.compile(r"\w+")
#: Mistakes with the numbers of a gate that is computed with another one's layers.
BORROWED = {"gate_layers_mixed", CODE}
#: Cells with fewer gates: which gates their layers are named after says nothing.
SMALLER_CELLS = {code for code, _ in OTHER_CELLS.values()}
#: Name of a mistake -> variant of its code.
VARIANTS = {
    "from the second step on, first zeros": "late",
    "zeros for the last step": "last",
    "the last step but one twice": "last",
    "last step everywhere": "everywhere",
    "last step first, then zeros": "overwritten",
    "first step everywhere": "answer",
    "units backwards": "units",
    "x cut anew": "input",
    "(batch, units, timesteps) cut anew": "other",
    "(units, timesteps, batch) cut anew": "other",
    "cut into (timesteps, batch, units)": "other",
    "cut into (batch, units, timesteps)": "other",
    "cut into (units, timesteps, batch)": "other",
    "last row for all": "last",
    "states of the first row": "states",
    "rows backwards": "order",
    "each row from the state of the one before": "carried",
    "each row from the state of the one before in every step": "handed_on",
    "the whole sequence twice": "passes",
    "rows moved on": "order",
    "answers in another order": "order",
    "c = c + i*g": "full",
    "h = o + tanh(c)": "output",
    "h = o - tanh(c)": "output",
    "h = o": "gate",
    "o collected": "gate",
    "h = o*tanh(g)": "output",
    "h = o*g": "output",
    "h = (1 - o)*tanh(c)": "output",
    "c = (1 - f)*c + i*g": "itself",
    "c = f*c + (1 - i)*g": "itself",
    "h = o*relu(c)": "other",
    "h = o*softsign(c)": "other",
    "h = o*clip(c)": "other",
    "h = c": "bare",
    "sums cut anew": "gates",
    "tanh(c) collected": "tanh",
    "-h from step to step": "h",
}


def known_mistakes(evidence: Evidence) -> Iterator[Diagnosis]:
    """Name the mistakes that give the numbers."""
    found = evidence.understanding.explanation
    if found is None:
        return
    runner_up = RunnerUp(code=found.runner_up[0], distance=found.runner_up[1]) if found.runner_up else None
    execution, parts, repeats = evidence.execution, evidence.execution.parts, repeats_itself(evidence.execution)
    vectors = vectors_for_h(parts, evidence.assignment.cases[0]) if parts is not None else None
    # A gate that has no layers and is computed with those of another one gives the numbers of other formulas too.
    has_none = parts is not None and parts.without_weights
    lacking = without_weights(execution, evidence.reading, evidence.assignment.cases[0]) if has_none else None
    is_smaller = any(mistake.code in SMALLER_CELLS for mistake in found.mistakes)
    is_open = not any(each.part.startswith("update_") and "odd" in each.what for each in evidence.reading.parts)
    for code in dict.fromkeys(mistake.code for mistake in found.mistakes):
        if code in ("h_not_updated", "recurrent_missing") and vectors is not None:
            yield Diagnosis.exact(vectors)  # no place of a recurrent kernel was found, so h met zeros
            continue
        if is_smaller and lacking is not None:
            if code == "gate_layers_mixed":
                continue
        elif lacking is not None and (code == "gate_layers_mixed" or (is_open and {code, *found.also} & BORROWED)):
            yield lacking
            continue
        if code in ("recurrent_missing", "x_not_used") and parts is not None and parts.misfed:
            continue  # the layer is there, and gets something else
        mistakes = [mistake for mistake in found.mistakes if mistake.code == code]
        params = _combine([dict(mistake.params) for mistake in mistakes])
        if code in ("gate_layers_mixed", "recurrent_missing", "x_not_used") and (unused := unused_layers(execution)):
            params["unused"] = unused
        # Where nothing is random, a call can only start where an earlier one ended.
        is_kept = code == "state_init_random" and not (repeats or RANDOM.search(evidence.reading.source))
        code = "state_kept_between_calls" if is_kept else code
        if code == "state_kept_between_calls" and parts is not None and parts.states:
            params["variables"] = parts.states
        if code == "state_reset_each_step" and "steps" not in params and has_no_loop(evidence.reading.parts):
            code = "no_loop"
        # An h that no weights take is passed on nowhere.
        takes_h = parts is None or "recurrent_kernel" not in parts.without_weights
        if code == "h_not_updated" and "recurrent_missing" in found.also and not takes_h:
            code = "recurrent_missing"
        told = variant_of(mistakes) or _variant(code, params, evidence)
        yield Diagnosis(
            code=code,
            params={**params, **({"variant": told} if told else {})},
            confidence="likely" if found.after_start or is_kept else "exact",
            # NaN equals nothing.
            residual=None if code == "nan" else found.residual,
            runner_up=runner_up,
            also=[other for other in found.also if other != code],
        )


def _combine(params: Sequence[Params]) -> Params:
    """Combine the parameters of two mistakes with one name: all their gates, and the parameters they share."""
    first, *others = params
    merged: Params = {}
    for name, value in first.items():
        values: list[Any] = [each.get(name) for each in others]
        if name == "gates" and all(values):
            merged[name] = list(dict.fromkeys([*value, *itertools.chain(*values)]))
        elif all(each == value for each in values):
            merged[name] = value
    return merged


def variant_of(mistakes: Sequence[Mistake]) -> str | None:
    """Return the variant of mistakes with one code, if they all have the same one."""
    found = {VARIANTS.get(mistake.name) for mistake in mistakes}
    return found.pop() if len(found) == 1 else None


def _variant(code: str, params: Params, evidence: Evidence) -> str | None:
    if code == "bias_missing":
        units, parts = evidence.assignment.cases[0].units, evidence.execution.parts
        vectors = [weight for weight in parts.found if weight.endswith(",)")] if parts else []
        if len(params["gates"]) == len(GATES) and len(vectors) == 1 and vectors[0].endswith(f"({units},)"):
            return "shared"
        # A class that adds weights one by one has no `use_bias`.
        return None if "use_bias" in evidence.reading.source else "weights"
    if code == "off_by_one" and params.get("steps") == "first":
        return "zeros"  # the state that a call begins with
    if code in {"x_not_used", "recurrent_missing"} and len(params.get("gates", GATES)) < len(GATES):
        return "gates"
    if code in ("sigmoid_candidate", "wrong_gate_activation") and _looks_up_late(evidence.reading.source):
        return "late"
    form = evidence.understanding.form
    if code == "state_reset_each_step" and form is not None and form.layout.steps.code == "last_step":
        return "last"  # whether it is called for the others too, no number shows
    return None


def _looks_up_late(source: str) -> bool:
    """Return whether the first line of a loop makes a function that calls what the loop's own name holds."""
    for head, body in itertools.pairwise(line for line in source.split("\n") if line.strip()):
        parameters, _, formula = body.partition("lambda")[2].partition(":")
        if formula and "=" not in parameters and head.rstrip().endswith(":"):
            names = {name for row in FOR_NAMES.findall(head) for name in WORD.findall(row)}
            if not names.isdisjoint(CALLED.findall(formula)):
                return True
    return False
