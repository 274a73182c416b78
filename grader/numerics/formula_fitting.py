"""The formula of c or of h that a student wrote, read off the answers as a sum of products.

Where the gates are right, and the other of the two formulas, both sides of a wrong formula are known at every step.
It is a sum of few products of the values of a step: least squares over all products of up to three find them, since
nearly all factors are 0. The caller replays the formula on all cases before believing it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.numerics.gate_values import Steps, before, short
from reference import Case
from reference.misconceptions import RECURRENCE, Mistake
from reference.misconceptions.state import parse_formula

Array = NDArray[Any]
DEGREE = 3
# Rows that the factors are found by, and the largest difference that is left in them.
ROWS, CLOSE = 400, 1e-4
# A factor this small is noise of a right 0.
LEAST_FACTOR = 0.05
MOST_TERMS = 5
#: Terms of a right update -> the gate that scales them.
RIGHT_TERMS = {"c*f": "f", "g*i": "i"}
RIGHT_UPDATE, RIGHT_OUTPUT = dict.fromkeys(RIGHT_TERMS, 1.0), {"o*tanh(c)": 1.0}


def formula_suspects(case: Case, answer: Array) -> Iterator[tuple[Mistake, ...]]:
    """Yield another formula of c, and one of h, for the answer to a case with many steps.

    Args:
        answer: ``(batch, timesteps, units)``, the same at every call.
    """
    with np.errstate(all="ignore"):
        steps = Steps.of(case, answer)
        c = steps.c_from_answers()
        old = {"h": steps.h, "c": before(c)}
        terms = _sum_of_products({**steps.gates, **old}, c)
        if terms is not None and terms != RIGHT_UPDATE:
            yield (_update(terms),)
        c = steps.c_from_gates()
        shown = {"tanh(c)": np.tanh(c), "old": before(c), "h": steps.h}
        terms = _sum_of_products({**steps.gates, **shown}, answer.astype(np.float64))
        if terms is not None and terms != RIGHT_OUTPUT:
            yield (_output(terms),)


def _sum_of_products(values: Mapping[str, Array], result: Array) -> dict[str, float] | None:
    """Return the products whose sum is the result, each with its factor; None where there is no short sum."""
    known = np.isfinite(result)
    for value in values.values():
        known &= np.isfinite(value)
    rows = np.flatnonzero(known)
    rows = rows[:: max(1, len(rows) // ROWS)]
    chosen = [p for n in range(1, DEGREE + 1) for p in itertools.combinations(sorted(values), n)]
    if len(rows) < 3 * len(chosen):
        return None
    wanted = result.ravel()[rows]
    columns = np.stack([np.prod([values[name].ravel()[rows] for name in names], axis=0) for names in chosen], axis=1)
    while True:
        # Tall matrices would wake all threads of the library, for a millisecond.
        factors = np.linalg.lstsq(columns.T @ columns, columns.T @ wanted, rcond=None)[0]
        if np.abs(columns @ factors - wanted).max() > CLOSE:
            return None
        kept = np.abs(factors) > LEAST_FACTOR
        if kept.all():
            break
        columns, chosen = columns[:, kept], [names for names, stays in zip(chosen, kept, strict=True) if stays]
    if len(chosen) > MOST_TERMS:
        return None
    return {"*".join(names): short(float(factor)) for names, factor in zip(chosen, factors, strict=True)}


def _update(terms: Mapping[str, float]) -> Mistake:
    own = {gate for term, gate in RIGHT_TERMS.items() if terms.get(term) == 1}
    own |= {"g"} if "i" in own else set()
    # A gate that scales something else as well is not right.
    own -= {name for term in terms.keys() - RIGHT_TERMS.keys() for name in term.split("*")}
    text = f"c = {_written(terms)}"
    params = {"formula": text, "variant": "c"}
    return Mistake("other_formula", text, {"update": parse_formula(text)}, frozenset("ifg") - own | RECURRENCE, params)


def _output(terms: Mapping[str, float]) -> Mistake:
    text = f"h = {_written(terms).replace('old', 'old c')}"
    params = {"formula": text, "variant": "h"}
    return Mistake("other_formula", text, {"show": parse_formula(text)}, frozenset("o"), params)


def _written(terms: Mapping[str, float]) -> str:
    """Write a sum of products as a student would: ``f*c - 0.5*i*g``."""
    parts = []
    for term, factor in sorted(terms.items(), key=lambda each: each[0] not in RIGHT_TERMS):
        names = "*".join(sorted(term.split("*"), key=lambda name: "iofgct".find(name[0])))
        size = "" if abs(factor) == 1 else f"{abs(factor):.6g}*"
        parts.append(f"{'-' if factor < 0 else '+'} {size}{names}")
    return " ".join(parts).removeprefix("+ ")
