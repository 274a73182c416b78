"""Finds the student's weights and decides which gate each belongs to.

Two questions per weight. *What does it multiply?* Its shape says: sizes are distinct, so ``(features, .)`` takes the
input and ``(units, .)`` the hidden state. *Which gate is it?* Its name says, read against the names of its siblings:
``fcXI fcXF fcXC fcXO``, ``Wi Wf Wg Wo``, ``gates["forget"].wx``. A fused weight of four gates takes the order in which
the student's own code unpacks it.

Names are never overruled: a student who calls the forget gate ``Wi`` has swapped two gates, and trying other orders
would absolve every such mistake. Only where names say nothing is there more than one candidate, and numbers decide.
"""

from __future__ import annotations

import itertools
import re
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from student_module import is_plain

GATES = "IFCO"  # columns of a Keras kernel, in order

WORDS = {
    "I": ("i", "in", "inp", "input", "ingate", "inputgate", "вход", "входной", "и"),
    "F": ("f", "forget", "forgetgate", "fgate", "забывания", "забыть", "забыв", "ф"),
    "C": (
        "c",
        "g",
        "cell",
        "cand",
        "candidate",
        "new",
        "tilde",
        "ch",
        "ct",
        "hat",
        "cc",
        "update",
        "кандидат",
        "к",
        "ц",
    ),
    "O": ("o", "out", "output", "outgate", "outputgate", "выход", "выходной", "о"),
}
GATE_OF_WORD = {word: gate for gate, words in WORDS.items() for word in words}
# Letters that stand beside the gate's letter in short names such as Wi, U_f, fcXO, x2c, whi, bo.
GLUED = re.compile(
    r"(?:fc|w|u|v|b|d|k|r|x|h|l|lin|dense|gate|t)*(?:2|to)?([ifcgo])(?:x|h|w|u|b|t|gate)?", re.IGNORECASE
)


@dataclass
class Leaf:
    """One weight, or a Dense layer that was never called (its kernel does not exist)."""

    path: str
    variable: Any
    shape: tuple[int, ...] | None
    layer: str | None = None  # where the Dense layer is that it belongs to
    built_in: bool = False  # whether it belongs to a recurrent layer of Keras


@dataclass
class Assignment:
    """Which slice of the Keras weights goes where: (leaf, array, gates in column order, order of the rows)."""

    slots: list[tuple[Leaf, str, str, str]] = field(default_factory=list)
    zeros: list[Leaf] = field(default_factory=list)

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
    # Keras 3 variables are no tf.Variable.
    return hasattr(value, "assign") and hasattr(value, "shape") and hasattr(value, "dtype")


def _is_built_in(value: Any) -> bool:
    """Whether an object is a recurrent layer or cell as Keras defines it (a subclass of the student's is his own)."""
    kind = type(value)
    recurrent = ".layers.rnn." in kind.__module__ and not kind.__module__.endswith(".time_distributed")
    return recurrent and isinstance(value, tf.keras.layers.Layer)


def _walk(value: Any, path: str, seen: set[int]) -> Iterator[Leaf]:
    if id(value) in seen:
        return
    if _is_built_in(value):
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
            yield from _walk(cell.cell_contents, f"{path}.{name}", seen)
    elif isinstance(value, tf.keras.layers.Layer | tf.Module) or is_plain(value):
        internal = _internal_names(value)
        for name, item in list(vars(value).items()):
            if name not in internal:
                yield from _walk(item, f"{path}.{name}".lstrip("."), seen)
        if isinstance(value, tf.keras.Sequential):
            yield from _walk(list(value.layers), path, seen)


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
    leaves: Sequence[Leaf], features: int, units: int, unpack_names: Sequence[Sequence[str]]
) -> tuple[list[Assignment], str | None]:
    """All assignments of roles that the evidence allows, and which evidence that was.

    Returns:
        one assignment and ``"names"`` or ``"shapes"`` when they settle it; several and ``"numbers"`` when a trial has
        to; none and None when there is nothing to assign.
    """
    kernels = [leaf for leaf in leaves if leaf.shape is None or len(leaf.shape) == 2]
    biases = [leaf for leaf in leaves if leaf.shape is not None and len(leaf.shape) == 1]
    rows = {"kernel": features, "recurrent_kernel": units, "both": features + units}
    fused = {array: [leaf for leaf in kernels if leaf.shape == (height, 4 * units)] for array, height in rows.items()}
    single = {array: [leaf for leaf in kernels if leaf.shape == (height, units)] for array, height in rows.items()}
    if any(fused.values()):
        return _fused_candidates(fused, biases, units, unpack_names)
    return _single_candidates(single, [leaf for leaf in kernels if leaf.shape is None], biases, units)


def _fused_candidates(
    fused: dict[str, list[Leaf]], biases: list[Leaf], units: int, unpack_names: Sequence[Sequence[str]]
) -> tuple[list[Assignment], str | None]:
    orders, evidence = _fused_orders(fused, unpack_names)
    splits = ("xh", "hx") if fused["both"] else ("",)
    found = []
    for order, split in itertools.product(orders, splits):
        assignment = Assignment()
        for array, leaves in fused.items():
            assignment.slots += [(leaf, array, order, split) for leaf in leaves]
        kernel_paths = [leaf.path for leaf in fused["kernel"] + fused["both"]]
        fused_biases = [leaf for leaf in biases if leaf.shape == (4 * units,)]
        _assign_biases(assignment, fused_biases, kernel_paths, lambda _, order=order: order)  # type: ignore[misc]
        found.append(assignment)
    return found, evidence if len(found) == 1 else "numbers"


def _fused_orders(fused: dict[str, list[Leaf]], unpack_names: Sequence[Sequence[str]]) -> tuple[list[str], str | None]:
    for names in unpack_names:
        gates = [_gate_of_name(name) for name in names]
        if sorted(filter(None, gates)) == sorted(GATES):
            return ["".join(gate for gate in gates if gate)], "names"
    if any(re.search(r"(^|\.)_?recurrent_kernel$", leaf.path) for leaf in fused["recurrent_kernel"]):
        return [GATES], "names"  # Keras' own names: Keras' own order
    return ["".join(order) for order in itertools.permutations(GATES)], "numbers"


def _single_candidates(
    single: dict[str, list[Leaf]], unbuilt: list[Leaf], biases: list[Leaf], units: int
) -> tuple[list[Assignment], str | None]:
    groups = {array: leaves for array, leaves in single.items() if leaves}
    if not groups:
        return [], None
    by_name = {array: _gates_by_name(leaves, unbuilt) for array, leaves in groups.items()}
    choices: list[dict[str, dict[str, Leaf]]]
    evidence: str | None
    if all(len(gates) == 4 for gates in by_name.values()):
        choices, evidence = [by_name], "names"
    elif all(len(leaves) == 4 for leaves in groups.values()):
        # Opaque names: the layers of both groups stand in the same order, whichever that is.
        choices = [
            {array: dict(zip(order, leaves, strict=True)) for array, leaves in groups.items()}
            for order in itertools.permutations(GATES)
        ]
        evidence = "numbers"
    else:
        choices, evidence = [by_name], None
    splits = ("xh", "hx") if "both" in groups else ("",)
    unit_biases = [leaf for leaf in biases if leaf.shape == (units,)]
    found = [_single_assignment(choice, unit_biases, split) for choice, split in itertools.product(choices, splits)]
    return found, evidence if len(found) == 1 else "numbers"


def _single_assignment(choice: dict[str, dict[str, Leaf]], biases: list[Leaf], split: str) -> Assignment:
    assignment = Assignment()
    gate_of_owner: dict[str, str] = {}
    for array, gates in choice.items():
        for gate, leaf in gates.items():
            gate_of_owner[leaf.layer or _owner(leaf.path)] = gate
            if leaf.variable is not None:
                assignment.slots.append((leaf, array, gate, split))
    input_paths = [leaf.path for array in ("kernel", "both") for leaf in choice.get(array, {}).values()]

    def gate_of(leaf: Leaf) -> str | None:
        # The bias of a Dense layer goes with its kernel; any other one is named for itself, or stands beside it.
        if leaf.layer is not None:
            return gate_of_owner.get(leaf.layer)
        return _gate_of_path(leaf.path) or gate_of_owner.get(_owner(leaf.path))

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
            assignment.zeros.append(leaf)
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
    return {gate: group[0] for gate, group in found.items() if len(group) == 1}


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
    gates = {GATE_OF_WORD[word] for word in words if word in GATE_OF_WORD}
    if len(gates) == 1:
        return gates.pop()
    if not gates:
        letters = {match[1].lower() for word in words if (match := GLUED.fullmatch(word))}
        gates = {GATE_OF_WORD[letter] for letter in letters}
        if len(gates) == 1:
            return gates.pop()
    return None


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
        leaf.variable.assign(columns(array, gates, split))
    for leaf in assignment.zeros:
        leaf.variable.assign(np.zeros(leaf.shape or (), np.float32))
