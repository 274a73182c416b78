"""Finds the student's weights and decides which gate each belongs to.

Two questions per weight. *What does it multiply?* Its shape says: sizes are distinct, so ``(features, .)`` takes the
input and ``(units, .)`` the hidden state. *Which gate is it?* Its name says, read against the names of its siblings:
``fcXI fcXF fcXC fcXO``, ``Wi Wf Wg Wo``, ``gates["forget"].wx``. A fused weight of four gates takes the order in which
the student's own code unpacks it.

Names are never overruled: a student who calls the forget gate ``Wi`` has swapped two gates, and trying other orders
would absolve every such mistake. Only where names say nothing is there more than one candidate, and numbers decide.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import types
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from student_module import MODULE_NAME, is_plain, is_recurrent

GATES = "IFCO"  # columns of a Keras kernel, in order

WORDS = {
    "I": ("i", "in", "ingate", "и"),
    "F": ("f", "fgate", "ф"),
    "C": ("c", "g", "cell", "new", "tilde", "ch", "ct", "hat", "cc", "update", "к", "ц"),
    "O": ("o", "out", "outgate"),
}
GATE_OF_WORD = {word: gate for gate, words in WORDS.items() for word in words}
# What words of any ending begin with.
STEMS = {"inp": "I", "вход": "I", "forg": "F", "забы": "F", "cand": "C", "канд": "C", "outp": "O", "выход": "O"}
# Drives a gate so far that nothing else in its sum matters any more.
SATURATING = 100.0
# Letters that stand beside the gate's letter in short names such as Wi, U_f, fcXO, x2c, whi, bo.
GLUED = re.compile(
    r"(?:fc|w|u|v|b|d|k|r|x|h|l|lin|dense|gate|t)*(?:2|to)?([ifcgo])(?:x|h|w|u|b|t|gate)?", re.IGNORECASE
)


@dataclass(eq=False)
class Leaf:
    """One weight, or a Dense layer that was never called (its kernel does not exist)."""

    path: str
    variable: Any
    shape: tuple[int, ...] | None
    layer: str | None = None  # where the Dense layer is that it belongs to
    built_in: bool = False  # whether it belongs to a recurrent layer of Keras
    layout: str = "plain"  # how its axes stand, see `sort_by_shape`

    @property
    def bare(self) -> tuple[int, ...]:
        """Its shape without axes of length 1."""
        return tuple(length for length in self.shape or () if length != 1)


@dataclass
class Assignment:
    """Which slice of the Keras weights goes where: (leaf, array, gates in column order, order of the rows).

    `zeros` are second biases of gates that have one already.
    """

    slots: list[tuple[Leaf, str, str, str]] = field(default_factory=list)
    zeros: list[tuple[Leaf, str]] = field(default_factory=list)

    def roles(self) -> dict[str, str]:
        """The exercise's names of the weights -> where they were found."""
        found: dict[str, str] = {}
        for leaf, array, gates, _ in self.slots:
            letter = {"kernel": "X", "recurrent_kernel": "H", "both": "XH", "bias": "B"}[array]
            if array == "bias":
                continue
            for gate in gates:
                found[f"fc{letter}{gate}"] = leaf.layer or leaf.path
        return found


def find(model: Any, names: dict[str, Any]) -> list[Leaf]:
    """Every weight reachable from the model; if there is none, from the module's global layers."""
    leaves = list(_walk(model, "", set()))
    if not leaves:
        seen: set[int] = set()
        for name, value in list(names.items()):
            if isinstance(value, tf.keras.layers.Layer):
                leaves += _walk(value, name, seen)
    # A Keras LSTM kept for comparison has the right shapes too: the student's own weights come first.
    own = [leaf for leaf in leaves if not leaf.built_in]
    return own if any(leaf.variable is not None for leaf in own) else leaves


def _is_variable(value: Any) -> bool:
    # Keras 3 variables are no tf.Variable. What an object of the student's own says of itself may be anything.
    if is_plain(value) and not isinstance(value, tf.Variable):
        return False
    return hasattr(value, "assign") and hasattr(value, "shape") and hasattr(value, "dtype")


def _walk(value: Any, path: str, seen: set[int]) -> Iterator[Leaf]:
    if id(value) in seen:
        return
    if is_recurrent(value):
        seen.add(id(value))
        for name, item in list(vars(value).items()):
            for leaf in _walk(item, f"{path}.{name}", seen):
                leaf.built_in = True
                yield leaf
        return
    seen.add(id(value))
    if _is_variable(value):
        yield Leaf(path, value, tuple(value.shape))
    elif isinstance(value, tf.keras.layers.Dense):
        # A Dense that was built has a kernel; one that `call` never uses has none, and still has a name.
        kernel = getattr(value, "kernel", None) if value.built else None
        yield Leaf(f"{path}.kernel", kernel, tuple(kernel.shape) if kernel is not None else None, layer=path)
        if kernel is not None and value.bias is not None:
            yield Leaf(f"{path}.bias", value.bias, tuple(value.bias.shape), layer=path)
    elif isinstance(value, dict):
        for key, item in list(value.items()):
            yield from _walk(item, f"{path}[{key!r}]", seen)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]", seen)
    elif isinstance(value, types.FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            if cell != types.CellType():  # else nothing has been bound to that name yet
                yield from _walk(cell.cell_contents, f"{path}.{name}", seen)
    elif isinstance(value, tf.keras.layers.Layer | tf.Module) or is_plain(value):
        internal = _internal_names(value)
        for name, item in _attributes(value):
            if name not in internal:
                yield from _walk(item, f"{path}.{name}".lstrip("."), seen)
        if isinstance(value, tf.keras.Sequential):
            yield from _walk(list(value.layers), path, seen)


def _attributes(value: Any) -> list[tuple[str, Any]]:
    """What an object holds, a student's own in slots too. Nothing that computes an attribute is called."""
    held = dict(getattr(value, "__dict__", {}))
    slots = {
        name: slot
        for base in reversed(type(value).__mro__)
        for name, slot in vars(base).items()
        if isinstance(slot, types.MemberDescriptorType) and base.__module__ == MODULE_NAME
    }
    for name, slot in slots.items():
        with contextlib.suppress(AttributeError):  # nothing was put in
            held[name] = slot.__get__(value)
    return list(held.items())


_INTERNAL: dict[type, frozenset[str]] = {}


def _internal_names(value: Any) -> frozenset[str]:
    """Attributes that Keras itself puts on every model or layer, read off one that holds nothing else of ours."""
    base = next((kind for kind in (tf.keras.Model, tf.keras.layers.Layer) if isinstance(value, kind)), None)
    if base is None:
        return frozenset()
    if base not in _INTERNAL:
        sample = base()
        sample.own = tf.keras.layers.Layer()  # some of its bookkeeping appears with the first sub-layer
        _INTERNAL[base] = frozenset(vars(sample)) - {"own"}
    return _INTERNAL[base]


def candidates(
    leaves: Sequence[Leaf],
    features: int,
    units: int,
    unpack_names: Sequence[Sequence[str]],
    pairing: dict[str, list[int]] | None = None,
) -> tuple[list[Assignment], str | None]:
    """All assignments of roles that the evidence allows, and which evidence that was.

    Args:
        pairing: as `find_pairing` returns it, for weights whose names say nothing.
    Returns:
        one assignment and ``"names"`` when they settle it; several and ``"numbers"`` when a trial has to; none and None
        when there is nothing to assign.
    """
    found = sort_by_shape(leaves, features, units)
    if any(found.fused.values()):
        return _fused_candidates(found, unpack_names)
    return _single_candidates(found, pairing or {})


@dataclass
class Sorted:
    """Weights by what they multiply: all gates at once, one gate, a bias of either kind; and layers never built."""

    fused: dict[str, list[Leaf]]
    single: dict[str, list[Leaf]]
    fused_biases: list[Leaf]
    unit_biases: list[Leaf]
    unbuilt: list[Leaf]


def sort_by_shape(leaves: Sequence[Leaf], features: int, units: int) -> Sorted:
    """What each weight multiplies, from its shape; its `layout` is set on the way.

    A weight may stand as Keras has it, ``(rows, gates * units)``, transposed, or with an axis of its own for the gates.
    Where a shape can be read in two ways (a square matrix), the layout that fits most of the weights is meant.
    """
    rows = {"kernel": features, "recurrent_kernel": units, "both": features + units}
    shaped = [leaf for leaf in leaves if leaf.shape is not None]
    fused: dict[str, list[Leaf]] = {array: [] for array in rows}
    single: dict[str, list[Leaf]] = {array: [] for array in rows}
    readings: list[tuple[Leaf, dict[str, list[Leaf]], dict[str, tuple[str, ...]]]] = []
    for leaf in shaped:
        for gates, groups in ((4, fused), (1, single)):
            fits = {array: fit for array, height in rows.items() if (fit := _layouts(leaf, height, units, gates))}
            if fits:
                readings.append((leaf, groups, fits))
                break
    popular = Counter(layout for _, _, fits in readings for fit in fits.values() for layout in fit)
    has_fused = any(groups is fused for _, groups, _ in readings)
    biases = []
    for leaf, groups, fits in readings:
        # With four features a bias (4, units) looks like the kernel of one gate.
        if leaf.bare == (4, units) and groups is single and (has_fused or leaf.path.rpartition(".")[2][:1] in "bB"):
            biases.append(leaf)
            continue
        array = next(iter(fits))
        leaf.layout = max(fits[array], key=lambda layout: popular[layout])
        groups[array].append(leaf)
    taken = {id(leaf) for leaf, _, _ in readings}
    biases += [leaf for leaf in shaped if id(leaf) not in taken]
    return Sorted(
        fused,
        single,
        [leaf for leaf in biases if leaf.bare in ((4 * units,), (4, units))],
        [leaf for leaf in biases if leaf.bare == (units,)],
        [leaf for leaf in leaves if leaf.shape is None],
    )


def count(model: Any, names: dict[str, Any], features: int, units: int) -> dict[str, int]:
    """How many gates' worth of ``kernels`` and ``recurrent_kernels`` a model has; one cell has four of each."""
    found = sort_by_shape(find(model, names), features, units)

    def gates(array: str) -> int:
        return sum(len(found.single[name]) + 4 * len(found.fused[name]) for name in (array, "both"))

    return {"kernels": gates("kernel"), "recurrent_kernels": gates("recurrent_kernel")}


def _layouts(leaf: Leaf, rows: int, units: int, gates: int) -> tuple[str, ...]:
    """The ways in which a weight of so many rows and gates can have this shape."""
    shapes: dict[str, tuple[int, ...]] = {"plain": (rows, gates * units), "transposed": (gates * units, rows)}
    if gates > 1:
        shapes |= {
            "stacked": (gates, rows, units),
            "stacked_transposed": (gates, units, rows),
            "split": (rows, gates, units),
        }
    return tuple(layout for layout, shape in shapes.items() if leaf.bare == shape)


def _laid_out(columns: np.ndarray, leaf: Leaf, gates: int) -> np.ndarray:
    """Columns of one or four gates, ``(rows, gates * units)`` or ``(gates * units,)``, in the shape of a weight."""
    if columns.ndim == 2:
        by_gate = columns.reshape(columns.shape[0], gates, -1)
        columns = {
            "plain": columns,
            "transposed": columns.T,
            "stacked": by_gate.transpose(1, 0, 2),
            "stacked_transposed": by_gate.transpose(1, 2, 0),
            "split": by_gate,
        }[leaf.layout]
    return columns.reshape(leaf.shape or ())


def _as_columns(values: np.ndarray, leaf: Leaf, array: str, gates: int) -> np.ndarray:
    """The reverse of `_laid_out`."""
    if array == "bias":
        return values.ravel()
    axes = {"stacked": (1, 0, 2), "stacked_transposed": (2, 0, 1), "split": (0, 1, 2)}
    values = values.reshape(leaf.bare) if leaf.bare else values
    if leaf.layout in axes:
        values = values.transpose(axes[leaf.layout])
        return values.reshape(values.shape[0], gates * values.shape[2])
    return values.T if leaf.layout == "transposed" else values


def _fused_candidates(found: Sorted, unpack_names: Sequence[Sequence[str]]) -> tuple[list[Assignment], str | None]:
    orders, evidence = _fused_orders(found.fused, unpack_names)
    splits = ("xh", "hx") if found.fused["both"] else ("",)
    assignments = []
    for order, split in itertools.product(orders, splits):
        assignment = Assignment()
        for array, leaves in found.fused.items():
            assignment.slots += [(leaf, array, order, split) for leaf in leaves]
        kernel_paths = [leaf.path for leaf in found.fused["kernel"] + found.fused["both"]]
        _assign_biases(assignment, found.fused_biases, kernel_paths, lambda _, order=order: order)  # type: ignore[misc]
        assignments.append(assignment)
    return assignments, evidence if len(assignments) == 1 else "numbers"


def _fused_orders(fused: dict[str, list[Leaf]], unpack_names: Sequence[Sequence[str]]) -> tuple[list[str], str | None]:
    for names in unpack_names:
        gates = [_gate_of_name(name) for name in names]
        if sorted(filter(None, gates)) == sorted(GATES):
            return ["".join(gate for gate in gates if gate)], "names"
    if any(re.search(r"(^|\.)_?recurrent_kernel$", leaf.path) for leaf in fused["recurrent_kernel"]):
        return [GATES], "names"  # Keras' own names: Keras' own order
    return ["".join(order) for order in itertools.permutations(GATES)], "numbers"


def _single_candidates(found: Sorted, pairing: dict[str, list[int]]) -> tuple[list[Assignment], str | None]:
    groups = {array: leaves for array, leaves in found.single.items() if leaves}
    if not groups:
        return [], None
    named = {array: _gates_by_name(leaves, found.unbuilt) for array, leaves in groups.items()}
    opaque = opaque_groups(found)
    if not (opaque.keys() >= {array for array, gates in named.items() if len(gates) < 4}):
        opaque, evidence = {}, None  # too few weights, or too many: as far as names go
    else:
        evidence = "names"
    # What stands in the same order, whichever that is, takes the same gates.
    ordered = {array: [leaves[place] for place in pairing.get(array, range(4))] for array, leaves in opaque.items()}
    choices = [
        named | {array: dict(zip(order, leaves, strict=True)) for array, leaves in ordered.items()}
        for order in (itertools.permutations(GATES) if opaque else [GATES])
    ]
    splits = ("xh", "hx") if "both" in groups else ("",)
    assignments = [
        _single_assignment(choice, found.unit_biases, split) for choice, split in itertools.product(choices, splits)
    ]
    return assignments, evidence if len(assignments) == 1 else "numbers"


def opaque_groups(found: Sorted) -> dict[str, list[Leaf]]:
    """Groups of four weights whose names do not say which gate each belongs to."""
    groups = {
        array: leaves
        for array, leaves in found.single.items()
        if len(leaves) == 4 and len(_gates_by_name(leaves, found.unbuilt)) < 4
    }
    loose = [leaf for leaf in found.unit_biases if leaf.layer is None]
    # A bias that stands alone beside one kernel goes with that one.
    owners = [_owner(leaf.path) for array in ("kernel", "both") for leaf in found.single[array]]
    beside = {_owner(leaf.path) for leaf in loose} <= {owner for owner in owners if owners.count(owner) == 1}
    if len(loose) == 4 and not beside and len(_gates_by_name(loose, [])) < 4:
        groups["bias"] = loose
    return groups


def find_pairing(
    leaves: Sequence[Leaf], features: int, units: int, call: Callable[[], np.ndarray]
) -> dict[str, list[int]]:
    """Which weights of opaque groups belong to the same gate: the places in each group, in the order of the first one.

    A gate that its first weight drives into saturation does not feel its other weights: the one whose change leaves the
    answer as it is, bit for bit, is its partner. Nothing is compared with a right answer here.

    Args:
        call: the model's answer to a few steps of positive numbers, with the weights as they are.
    Returns:
        nothing where that does not tell, and where there is only one group.
    """
    found = sort_by_shape(leaves, features, units)
    groups = opaque_groups(found)
    first = next((array for array in ("kernel", "both", "bias") if array in groups), None)
    others = [array for array in groups if array != first]
    if first is None or not others:
        return {}
    random = np.random.default_rng(7)
    for leaf in leaves:
        if leaf.variable is not None:
            leaf.variable.assign(random.normal(0.0, 0.3, leaf.shape).astype(np.float32))
    places: dict[str, list[int]] = {array: [] for array in others}
    for driven in groups[first]:
        before = np.array(driven.variable)
        driven.variable.assign(np.full(before.shape, SATURATING, np.float32))
        answer = call()
        for array in others:
            unfelt = [place for place, leaf in enumerate(groups[array]) if np.array_equal(answer, _changed(leaf, call))]
            places[array] += unfelt
        driven.variable.assign(before)
    if any(sorted(found_places) != [0, 1, 2, 3] for found_places in places.values()):
        return {}
    return places


def _changed(leaf: Leaf, call: Callable[[], np.ndarray]) -> np.ndarray:
    before = np.array(leaf.variable)
    leaf.variable.assign(before + np.float32(0.5))
    answer = call()
    leaf.variable.assign(before)
    return answer


def _single_assignment(choice: dict[str, dict[str, Leaf]], biases: list[Leaf], split: str) -> Assignment:
    assignment = Assignment()
    gate_of_owner: dict[str, str] = {}
    kernels = {array: gates for array, gates in choice.items() if array != "bias"}
    for array, gates in kernels.items():
        for gate, leaf in gates.items():
            gate_of_owner[leaf.layer or _owner(leaf.path)] = gate
            if leaf.variable is not None:
                assignment.slots.append((leaf, array, gate, split))
    input_paths = [leaf.path for array in ("kernel", "both") for leaf in kernels.get(array, {}).values()]
    gate_of_loose = {id(leaf): gate for gate, leaf in choice.get("bias", {}).items()}

    def gate_of(leaf: Leaf) -> str | None:
        # The bias of a Dense layer goes with its kernel; any other one is named for itself, or stands beside it.
        if leaf.layer is not None:
            return gate_of_owner.get(leaf.layer)
        return gate_of_loose.get(id(leaf)) or _gate_of_path(leaf.path) or gate_of_owner.get(_owner(leaf.path))

    _assign_biases(assignment, biases, input_paths, gate_of)
    return assignment


def _assign_biases(
    assignment: Assignment, biases: list[Leaf], input_paths: list[str], gates_of: Callable[[Leaf], str | None]
) -> None:
    """A gate's bias goes to the one beside its input weights, else to the first there is; others become zero."""
    owners = {_owner(path) for path in input_paths}
    taken: set[str] = set()
    for leaf in sorted(biases, key=lambda leaf: _owner(leaf.path) not in owners):
        gates = gates_of(leaf)
        if not gates:
            continue
        if gates in taken:
            assignment.zeros.append((leaf, gates))
        else:
            taken.add(gates)
            assignment.slots.append((leaf, "bias", gates, ""))


def _owner(path: str) -> str:
    return path.rpartition(".")[0]


def _gates_by_name(leaves: list[Leaf], unbuilt: list[Leaf]) -> dict[str, Leaf]:
    """gate -> leaf, as far as names say; four of them when they give each gate exactly once."""
    gates = _read_names(leaves)
    # A gate that `call` leaves out: its layer exists by name only.
    return {**_read_names(unbuilt), **gates} if unbuilt and len(gates) < 4 else gates


def _read_names(leaves: list[Leaf]) -> dict[str, Leaf]:
    found: dict[str, list[Leaf]] = {}
    for leaf in leaves:
        gate = _gate_of_path(leaf.path)
        if gate:
            found.setdefault(gate, []).append(leaf)
    if set(map(len, found.values())) == {1} and len(found) == min(4, len(leaves)):
        return {gate: leaves[0] for gate, leaves in found.items()}
    if len(leaves) == 4:
        different = _strip_common([re.sub(r"\W+", "_", leaf.path) for leaf in leaves])
        gates = [_gate_of_name(part) for part in different]
        if sorted(filter(None, gates)) == sorted(GATES):
            return {gate: leaf for gate, leaf in zip(gates, leaves, strict=True) if gate}
    told = {gate: group[0] for gate, group in found.items() if len(group) == 1}
    if len(leaves) == 4 and len(told) == len(found) == 3:
        (missing,) = set(GATES) - told.keys()
        (told[missing],) = (leaf for leaf in leaves if leaf not in told.values())
    return told


def _strip_common(names: list[str]) -> list[str]:
    """``gi_wx gf_wx gc_wx go_wx`` -> ``i f c o``."""
    for _ in range(2):
        while len(set(map(len, names)) - {0}) and all(len(n) > 1 for n in names) and len({n[0] for n in names}) == 1:
            names = [name[1:] for name in names]
        names = [name[::-1] for name in names]
    return names


def _gate_of_path(path: str) -> str | None:
    """The gate that the last telling part of a path names."""
    for part in reversed(re.findall(r"[^\W_]\w*|_\w+", path)):
        if part in ("kernel", "bias", "_kernel", "w", "x", "h"):
            continue
        if gate := _gate_of_name(part):
            return gate
    return None


def _gate_of_name(name: str) -> str | None:
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+", name)]
    gates = {gate for word in words if (gate := _gate_of_word(word))}
    if len(gates) == 1:
        return gates.pop()
    if not gates:
        letters = {match[1].lower() for word in words if (match := GLUED.fullmatch(word))}
        gates = {GATE_OF_WORD[letter] for letter in letters}
        if len(gates) == 1:
            return gates.pop()
    return None


def _gate_of_word(word: str) -> str | None:
    stem = next((stem for stem in STEMS if word.startswith(stem)), None)
    return GATE_OF_WORD.get(word) or (STEMS[stem] if stem else None)


def inject(assignment: Assignment, weights: dict[str, np.ndarray]) -> None:
    """Copy the weights of a Keras LSTM into the student's.

    Args:
        weights: ``kernel (features, 4 * units)``, ``recurrent_kernel (units, 4 * units)``, ``bias (4 * units,)``.
    """
    units = weights["recurrent_kernel"].shape[0]

    def columns(array: str, gates: str, split: str) -> np.ndarray:
        if array == "both":
            halves = [columns("kernel", gates, ""), columns("recurrent_kernel", gates, "")]
            return np.concatenate(halves if split == "xh" else halves[::-1], axis=0)
        starts = [GATES.index(gate) * units for gate in gates]
        return np.concatenate([weights[array][..., start : start + units] for start in starts], axis=-1)

    for leaf, array, gates, split in assignment.slots:
        leaf.variable.assign(_laid_out(columns(array, gates, split), leaf, len(gates)))
    for leaf, _ in assignment.zeros:
        leaf.variable.assign(np.zeros(leaf.shape or (), np.float32))


def collect(assignment: Assignment, features: int, units: int) -> dict[str, np.ndarray]:
    """The reverse of `inject`: the student's weights as a Keras LSTM would hold them, NaN where there is none."""
    shapes = {"kernel": (features, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    weights = {name: np.full(shape, np.nan, np.float32) for name, shape in shapes.items()}

    def put(array: str, gates: str, values: np.ndarray, *, add: bool = False) -> None:
        for place, gate in enumerate(gates):
            start = GATES.index(gate) * units
            target = weights[array][..., start : start + units]
            part = values[..., place * units : (place + 1) * units]
            target[...] = target + part if add else part

    for leaf, array, gates, split in assignment.slots:
        values = _as_columns(np.asarray(leaf.variable, np.float32), leaf, array, len(gates))
        if array == "both":
            height = features if split == "xh" else units
            first, second = values[:height], values[height:]
            put("kernel", gates, first if split == "xh" else second)
            put("recurrent_kernel", gates, second if split == "xh" else first)
        else:
            put(array, gates, values)
    for leaf, gates in assignment.zeros:
        put("bias", gates, np.asarray(leaf.variable, np.float32).ravel(), add=True)
    return weights
