"""The formulas that stand in a student's code, as a mistake that the numbers can confirm.

The reader child reads them (`grader/runner/reader/parts/formulas.py`). It cannot be trusted, and names may mislead it:
until the numbers agree, what stands in the code is only that.
"""

import ast
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reference.cell import Cell, Formula
from reference.lstm.definition import CELL
from reference.lstm.misconceptions import RECURRENCE, Mistake
from reference.lstm.misconceptions.computation import Moment
from reference.lstm.misconceptions.gates import WRITABLE
from reference.lstm.weights import DENSE_LETTERS

Array = NDArray[np.floating]

CODE = "other_formula"
#: The slots of `reference.lstm.misconceptions.computation` in which the updates stand.
SLOTS = {"c_new": "update", "h_new": "show"}
OF_SLOT = {
    "update": "c_new", "keep": "c_new", "show": "h_new", "hold": "h_new", "late_output": "o", "forget_bias": "f",
}  # fmt: skip


LAYERS = {f"{part}_{gate}" for part in "xh" for gate in CELL.gates}

#: Numbers of any formula, far from each other, at which two are compared.
PROBES = 64
SAME = 1e-9


@dataclass(frozen=True)
class WrittenMistake:
    """A mistake that stands in the code.

    Attributes:
        names: the formulas that are written otherwise.
    """

    mistake: Mistake
    names: frozenset[str]

    def unexplained_by(self, mistakes: Sequence[Mistake]) -> int:
        """Count the formulas that are written otherwise although these mistakes leave them right."""
        touched = {name for mistake in mistakes for name in _touched(mistake)}
        return 0 if self.mistake in mistakes else len(self.names - touched)


def _touched(mistake: Mistake) -> set[str]:
    """Return the formulas that a mistake concerns, by its slots of `reference.lstm.misconceptions.computation`."""
    places = {slot: slot.rpartition(".")[2] if "." in slot else OF_SLOT.get(slot, "") for slot in mistake.changes}
    sources = {slot: source for slot, source in mistake.changes.items() if "_of." in slot}
    # To exchange the layers of gates, and to exchange the gates where they are used, is the same mistake.
    is_exchange = bool(sources) and set(sources.values()) == {places[slot] for slot in sources}
    # A gate that uses the new c can only be written in the formula of h.
    is_spread = is_exchange or "late_output" in mistake.changes
    everywhere = CELL.formulas if "calls" in mistake.changes else SLOTS if is_spread else ()
    return {*places.values(), *everywhere}


def written_mistake(formulas: Mapping[str, str]) -> WrittenMistake | None:
    """Return the mistake of a cell that computes these formulas; None where they are those of the layer.

    Args:
        formulas: by the name of what they give; the others are taken to be right.
    """
    other = {name: formula for name, text in formulas.items() if (formula := _other_formula(name, text)) is not None}
    cell = replace(CELL, formulas={**CELL.formulas, **other})
    # One formula may undo what another does otherwise.
    if not other or _steps_alike(cell, CELL):
        return None
    gates = frozenset(other) & frozenset(CELL.gates)
    wrong = gates | {"o"} if "h_new" in other else gates
    wrong = wrong | RECURRENCE if "c_new" in other else wrong
    # A gate that is not used is not right either.
    wrong |= frozenset(CELL.gates).difference(*(formula.names for formula in cell.formulas.values()))
    variant = "several" if len(other) > 1 else "gate" if gates else next(iter(other)).removesuffix("_new")
    shown = "; ".join(_shown(name, formula) for name, formula in other.items())
    old = [state for state in ("h", "c") if "c_new" in other and state in other["c_new"].names]
    params = {
        "formula": shown,
        "expected": "; ".join(_shown(name, CELL.formulas[name]) for name in other),
        "variant": variant,
        **({"old_states": old} if old else {}),
        **({"gates": [DENSE_LETTERS[gate] for gate in CELL.gates if gate in gates]} if gates else {}),
    }
    is_of_states = all(name in SLOTS and not formula.names & LAYERS for name, formula in other.items())
    changes = {SLOTS[name]: formula for name, formula in other.items()} if is_of_states else {"calls": _call(cell)}
    return WrittenMistake(Mistake(CODE, shown, changes, wrong, params), frozenset(other))


def certain_formulas(formulas: Mapping[str, str]) -> dict[str, str]:
    """Leave out what a reader may have misunderstood, for where numbers do not confirm it.

    A name may mislead where a gate seems to use the layers of another. And a gate that could not be read may undo what
    an update does otherwise with it.
    """
    # In an update, which has no layers, every name of one is doubtful.
    alone = {name: text for name, text in formulas.items() if set(re.findall(r"\b[xh]_(\w)\b", text)) <= {name}}
    unread = set(CELL.gates) - alone.keys()
    return {name: text for name, text in alone.items() if name in CELL.gates or _differs_without(unread, name, text)}


def _differs_without(gates: Set[str], name: str, text: str) -> bool:
    """Tell whether what a formula does otherwise is the same whatever these gates are."""
    formula = _other_formula(name, text)
    if formula is None or not gates & formula.names:
        return True
    random = np.random.default_rng(0)
    values = {each: random.normal(size=PROBES) for each in sorted(formula.names | CELL.formulas[name].names)}
    others = {**values, **{gate: random.normal(size=PROBES) for gate in sorted(gates)}}
    with np.errstate(all="ignore"):
        one, other = (formula(each) - CELL.formulas[name](each) for each in (values, others))
    return np.allclose(one, other, SAME, SAME)


def _shown(name: str, formula: Formula) -> str:
    """Write a formula in the words of the exercise: ``h = o*tanh(c)``, ``i = sigmoid(fcXI(x) + fcHI(h))``."""
    text = re.sub(r"\b([xh])_([ifgo])\b", lambda made: _layer(*made.groups()), formula.text)
    # 1 - 0.9 is 0.09999999999999998.
    text = re.sub(r"\d+\.\d{7,}", lambda number: f"{float(number[0]):.6g}", text)
    if name == "h_new":
        text = re.sub(r"\bc\b", "c_old", text).replace("c_new", "c")
    # The exercise calls the candidate ch.
    return re.sub(r"\bg\b", "ch", f"{name.removesuffix('_new')} = {text}").replace(" / ", "/")


def _layer(part: str, gate: str) -> str:
    return f"fc{part.upper()}{DENSE_LETTERS[gate]}({part})"


def _other_formula(name: str, text: str) -> Formula | None:
    """Return a formula that differs from the definition's; None for an equal one, and for what is no formula."""
    usual = CELL.formulas.get(name)
    if usual is None:
        return None
    try:
        node = ast.parse(text, mode="eval").body
        formula = Formula(node, WRITABLE)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    # Element by element, and on arrays, a formula fails at once or never.
    if any(isinstance(each, ast.MatMult | ast.Attribute) for each in ast.walk(node)):
        return None
    applied = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
    if not all(Formula(each, WRITABLE).names for each in (node, *applied)):
        return None
    random = np.random.default_rng(0)
    values = {each: random.normal(size=PROBES) for each in sorted({*CELL.states, *LAYERS})}
    if name in SLOTS:
        values |= {gate: CELL.formulas[gate](values) for gate in CELL.gates}
    if name == "h_new":
        values["c_new"] = random.normal(size=PROBES)
    if not formula.names <= values.keys():
        return None
    try:
        with np.errstate(all="ignore"):
            return None if np.allclose(formula(values), usual(values), SAME, SAME) else formula
    except ArithmeticError:
        return None


def _steps_alike(*cells: Cell) -> bool:
    random = np.random.default_rng(0)
    from_x, from_h = random.normal(size=(2, PROBES, len(CELL.gates)))
    states = {state: random.normal(size=(PROBES, 1)) for state in CELL.states}
    with np.errstate(all="ignore"):
        one, other = (cell.step(from_x, from_h, states) for cell in cells)
    return all(np.allclose(one[name], other[name], SAME, SAME) for name in SLOTS)


def _call(cell: Cell) -> Callable[..., Moment]:
    """Return a choice of the slot ``calls``: this cell instead of the right step."""

    def call(step: object, z: Array, h: Array, c: Array) -> Moment:
        found = cell.step(z, h @ step.recurrent, {"h": h, "c": c})  # type: ignore[attr-defined]
        return Moment(**{name: found[name] for name in CELL.formulas}, h=h, c=c)

    return call
