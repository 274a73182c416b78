"""A formula of the student's own, read off the answers: of c, of h, or of the sum in one gate.

Where all else is right, both sides of a wrong formula are known at every step. It is a sum of few products of the
values of a step: least squares over many products find it, since nearly all factors are 0. The caller replays the
formula on all cases before believing it.
"""

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.numerics.gate_mistakes import with_gate
from grader.numerics.gate_values import Steps, before, function_of, inverse, short
from reference import GATES, Case
from reference.cell import sigmoid
from reference.lstm.misconceptions import RECURRENCE, Mistake
from reference.lstm.misconceptions.computation import Moment
from reference.lstm.misconceptions.state import parse_formula
from reference.lstm.weights import DENSE_LETTERS

Array = NDArray[Any]
# The most factors in a product of a formula of c or h.
DEGREE = 3
# Rows that the factors are found by; the largest difference that is left in nearly all of them, after division by what
# may be small too.
ROWS, CLOSE, CLOSE_IN_GATE, NEARLY_ALL = 400, 1e-4, 1e-3, 0.99
# A factor this small is noise of a right 0.
LEAST_FACTOR = 0.05
MOST_TERMS = 5
#: Terms of a right update -> the gate that scales them.
RIGHT_TERMS = {"c*f": "f", "g*i": "i"}
RIGHT_UPDATE, RIGHT_OUTPUT = dict.fromkeys(RIGHT_TERMS, 1.0), {"o*tanh(c)": 1.0}
# As the exercise calls it: ch.
CANDIDATE = re.compile(r"\bg\b")
#: Functions around one layer of a sum.
AROUND: Mapping[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": lambda z: np.maximum(z, 0.0),
}

Suspect = tuple[Mistake, ...]


def formula_suspects(case: Case, answer: Array) -> Iterator[Suspect]:
    """Yield other formulas for the answer to a case with many steps.

    Args:
        answer: ``(batch, timesteps, units)``, the same at every call.
    """
    with np.errstate(all="ignore"):
        steps = Steps.of(case, answer)
        c, c_of_gates = steps.c_from_answers(), steps.c_from_gates()
        terms = _sum_of_products(_products({**steps.gates, "h": steps.h, "c": before(c)}, DEGREE), c, CLOSE)
        if terms is not None and terms != RIGHT_UPDATE:
            yield (_update(terms),)
        shown = {**steps.gates, "tanh(c)": np.tanh(c_of_gates), "old": before(c_of_gates), "h": steps.h}
        terms = _sum_of_products(_products(shown, DEGREE), answer.astype(np.float64), CLOSE)
        if terms is not None and terms != RIGHT_OUTPUT:
            yield (_output(terms),)
        for gate in GATES:
            sums = _in_sum(
                gate, steps.from_x[gate], steps.from_h[gate], steps.h, before(c_of_gates if gate == "o" else c)
            )
            terms = _sum_of_products(sums, inverse(gate, steps.gate(gate)), CLOSE_IN_GATE)
            if terms is not None and terms != dict.fromkeys(list(sums)[:2], 1.0):
                yield (_gate_sum(gate, terms),)


def _products(values: Mapping[str, Array], degree: int) -> dict[str, Array]:
    chosen = (names for n in range(1, degree + 1) for names in itertools.combinations(sorted(values), n))
    return {"*".join(names): np.prod([values[name] for name in names], axis=0) for names in chosen}


def _in_sum(gate: str, from_x: Array, from_h: Array, h: Array, c: Array) -> dict[str, Array]:
    """Return what may stand in the sum of a gate, the two right terms first, as a student would write it."""
    letter = DENSE_LETTERS[gate]
    layers = {f"fcX{letter}(x)": from_x, f"fcH{letter}(h)": from_h}
    around = {f"{name}({each})": function(z) for each, z in layers.items() for name, function in AROUND.items()}
    larger = f"maximum({', '.join(layers)})"
    return {**layers, **around, larger: np.maximum(from_x, from_h), "h": h, "c": c, "1": np.ones_like(h)}


def _sum_of_products(terms: Mapping[str, Array], result: Array, close: float) -> dict[str, float] | None:
    """Return the terms whose sum is the result, each with its factor; None where there is no short sum."""
    names, columns = list(terms), np.stack([term.ravel() for term in terms.values()], axis=1)
    rows = np.flatnonzero(np.isfinite(result.ravel()) & np.isfinite(columns).all(axis=1))
    rows = rows[:: max(1, len(rows) // ROWS)]
    if len(rows) < 3 * len(names):
        return None
    columns, wanted = columns[rows], result.ravel()[rows]
    while True:
        # Tall matrices would wake all threads of the library, for a millisecond.
        factors = np.linalg.lstsq(columns.T @ columns, columns.T @ wanted, rcond=None)[0]
        if np.quantile(np.abs(columns @ factors - wanted), NEARLY_ALL) > close:
            return None
        kept = np.abs(factors) > LEAST_FACTOR
        if kept.all():
            break
        columns, names = columns[:, kept], list(itertools.compress(names, kept))
    if not 0 < len(names) <= MOST_TERMS:
        return None
    return {name: short(float(factor)) for name, factor in zip(names, factors, strict=True)}


def _update(terms: Mapping[str, float]) -> Mistake:
    own = {gate for term, gate in RIGHT_TERMS.items() if terms.get(term) == 1}
    products = [set(term.split("*")) for term in terms]
    # A gate that scales something else as well is not right. The candidate is, as long as it scales no state.
    own -= {name for product in products if product not in ({"c", "f"}, {"g", "i"}) for name in product}
    own |= {"g"} if not any("g" in product and product & {"c", "h"} for product in products) else set()
    text = f"c = {_written(terms, RIGHT_TERMS)}"
    params = {"formula": CANDIDATE.sub("ch", text), "variant": "c"}
    return Mistake("other_formula", text, {"update": parse_formula(text)}, frozenset("ifg") - own | RECURRENCE, params)


def _output(terms: Mapping[str, float]) -> Mistake:
    text = f"h = {_written(terms, RIGHT_OUTPUT).replace('old', 'old c')}"
    params = {"formula": CANDIDATE.sub("ch", text), "variant": "h"}
    return Mistake("other_formula", text, {"show": parse_formula(text)}, frozenset("o"), params)


def _gate_sum(gate: str, terms: Mapping[str, float]) -> Mistake:
    letter, function = DENSE_LETTERS[gate], "tanh" if gate == "g" else "sigmoid"
    right = [f"fcX{letter}(x)", f"fcH{letter}(h)"]

    def shown(total: str) -> str:
        return f"{CANDIDATE.sub('ch', gate)} = {function}({total})"

    def value(moment: Moment, from_x: Array, kernel: Array) -> Array:
        values = _in_sum(gate, from_x, moment.h @ kernel, moment.h, moment.c)
        return function_of(gate)(np.asarray(sum(factor * values[name] for name, factor in terms.items())))

    smaller = f"minimum({', '.join(right)})"
    formula = shown(_written(terms, right).replace(f"{' + '.join(right)} - maximum({', '.join(right)})", smaller))
    params = {
        "gates": [letter],
        "variant": "gate",
        "formula": formula,
        "expected": shown(" + ".join(right)),
    }
    return with_gate("other_formula", formula, gate, value, params)


def _written(terms: Mapping[str, float], right: Collection[str]) -> str:
    """Write a sum of products as a student would, the right ones first: ``f*c - 0.5*i*g``."""
    parts = []
    for term, factor in sorted(terms.items(), key=lambda each: (each[1] < 0, each[0] not in right)):
        names = "*".join(sorted(term.split("*"), key=lambda name: "iofgcth".find(name[0])))
        size = "" if abs(factor) == 1 else f"{abs(factor):.6g}*"
        written = f"{abs(factor):.6g}" if term == "1" else f"{size}{names}"
        parts.append(f"{'-' if factor < 0 else '+'} {written}")
    first, *others = parts
    return " ".join([first.removeprefix("+ ").replace("- ", "-"), *others])
