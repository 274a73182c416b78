"""Pairs the student's weights with their roles: which slice of the Keras weights goes where.

The shape of a weight says what it multiplies (weight_shapes.py); its name says which gate it belongs to
(gate_names.py). A fused weight of four gates takes the order in which the student's own code unpacks it.

Names are never overruled: a student who calls the forget gate ``Wi`` has swapped two gates, and trying other orders
would excuse every such mistake. Only where names say nothing, or the code unpacks in different orders, is there more
than one candidate, and numbers decide.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from driver.weights.gate_names import GATES, clear_gates, gate_of_path, gates_by_name, manner, orders
from driver.weights.leaves import Leaf
from driver.weights.used import changed
from driver.weights.weight_shapes import Sorted, as_columns, laid_out, open_to_c, sort_by_shape

# Drives a gate so far that the rest of its sum has no effect.
SATURATING = 100.0
MOST_CHOICES = 96


@dataclass
class Placement:
    """Slices of the Keras weights and their targets: (leaf, array, gates in column order, order of the rows).

    `zeros` are second biases of gates that have one already. `misfed` get x where their siblings get h, or the other
    way round; they are zero, so that the numbers are those of an LSTM without them. `peepholes` multiply c, for which
    Keras has no weights: they are set so that the gate sees c as it is.
    """

    slots: list[tuple[Leaf, str, str, str]] = field(default_factory=list)
    zeros: list[tuple[Leaf, str]] = field(default_factory=list)
    misfed: list[Leaf] = field(default_factory=list)
    peepholes: list[Leaf] = field(default_factory=list)

    def roles(self) -> dict[str, str]:
        """Map the exercise's names of the weights -> where they were found."""
        found: dict[str, str] = {}
        for leaf, array, gates, _ in self.slots:
            letter = {"kernel": "X", "recurrent_kernel": "H", "both": "XH", "bias": "B"}[array]
            if array == "bias":
                continue
            for gate in gates:
                found[f"fc{letter}{gate}"] = leaf.layer or leaf.path
        return found


def candidates(
    leaves: Sequence[Leaf],
    features: int,
    units: int,
    unpack_names: Sequence[Sequence[str]],
    pairing: dict[str, list[int]] | None = None,
    joined: str | None = None,
) -> tuple[list[Placement], str | None]:
    """List all placements of roles that the evidence allows, and the kind of that evidence.

    Args:
        pairing: as `find_pairing` returns it, for weights whose names say nothing.
        joined: the supposed order of x and h in a joined input; None: both are possible.
    Returns:
        one placement and ``"names"`` when names settle it; several and ``"numbers"`` when a trial must decide; none
        and None when there is nothing to assign.
    """
    found = sort_by_shape(leaves, features, units)
    if any(found.fused.values()):
        return _fused_candidates(found, unpack_names, joined)
    wrong = misfed(found)
    found.single = {array: [leaf for leaf in group if leaf not in wrong] for array, group in found.single.items()}
    placements, evidence = _single_candidates(found, pairing or {}, joined)
    for placement in placements:
        placement.misfed = wrong
    return placements, evidence


def misfed(found: Sorted) -> list[Leaf]:
    """Find weights whose shape says that they take x, where their siblings by name take h, or the other way round."""
    wrong = []
    for array, other in (("kernel", "recurrent_kernel"), ("recurrent_kernel", "kernel")):
        siblings = [manner(leaf.path) for leaf in found.single[other]]
        alone = [leaf for leaf in found.single[array] if siblings.count(manner(leaf.path)) == len(GATES) - 1]
        if len(alone) == 1 and len(found.single[array]) == len(GATES) + 1:
            wrong += alone
    return wrong


def _fused_candidates(
    found: Sorted, unpack_names: Sequence[Sequence[str]], joined: str | None
) -> tuple[list[Placement], str | None]:
    possible, evidence = _fused_orders(found.fused, unpack_names)
    splits = _splits(found.fused, joined)
    placements = []
    for order, split in itertools.product(possible, splits):
        placement = Placement()
        for array, leaves in found.fused.items():
            placement.slots += [(leaf, array, order, split) for leaf in leaves]
        kernel_paths = [leaf.path for leaf in found.fused["kernel"] + found.fused["both"]]
        _assign_biases(placement, found.fused_biases, kernel_paths, lambda _, order=order: order)  # type: ignore[misc]
        placements.append(placement)
    return placements, evidence if splits == ("",) and len(placements) == 1 else "numbers"


def _splits(groups: dict[str, list[Leaf]], joined: str | None) -> tuple[str, ...]:
    """List the possible orders of rows in a weight that takes x and h joined."""
    if not groups.get("both"):
        return ("",)
    return (joined,) if joined else ("xh", "hx")


def _fused_orders(fused: dict[str, list[Leaf]], unpack_names: Sequence[Sequence[str]]) -> tuple[list[str], str | None]:
    found = [orders(names) for names in unpack_names if len(names) == len(GATES)]
    # One order that names settle is not doubted for the sake of another split, of something else.
    found = [each for each in found if len(each) == 1] or found
    if not found and any(re.search(r"(^|\.)_?recurrent_kernel$", leaf.path) for leaf in fused["recurrent_kernel"]):
        return [GATES], "names"  # Keras' own names: Keras' own order
    possible = list(dict.fromkeys(itertools.chain.from_iterable(found))) or orders([""] * len(GATES))
    return possible, "names" if len(possible) == 1 else "numbers"


def _single_candidates(
    found: Sorted, pairing: dict[str, list[int]], joined: str | None
) -> tuple[list[Placement], str | None]:
    groups = {array: leaves for array, leaves in found.single.items() if leaves}
    if not groups:
        return [], None
    named = {array: gates_by_name(leaves, found.unbuilt) for array, leaves in groups.items()}
    opened = open_groups(found)
    if opened.keys() >= {array for array, gates in named.items() if len(gates) < len(GATES)}:
        evidence = "names"
    else:
        opened, evidence = {}, None  # too few weights, or too many: go by names alone
    first = next(iter(opened), None)
    ordered = {
        array: [leaves[place] for place in pairing.get(array, range(4))] if array != first else leaves
        for array, leaves in opened.items()
    }
    choices = [named | chosen for chosen in _choices(ordered)]
    splits = _splits(groups, joined)
    placements = [
        _single_placement(choice, found.unit_biases, split) for choice, split in itertools.product(choices, splits)
    ]
    return placements, evidence if splits == ("",) and len(placements) == 1 else "numbers"


def _choices(opened: dict[str, list[Leaf]]) -> list[dict[str, dict[str, Leaf]]]:
    """List the gates that groups of four weights can have, as far as names leave them open.

    Weights in the same order, whichever that is, take the same gates, where the same ones are open.
    """
    alike: dict[str, dict[str, list[tuple[Leaf, str | None]]]] = defaultdict(dict)
    for array, leaves in opened.items():
        clear = clear_gates([leaf.path for leaf in leaves])
        left = "".join(gate for gate in GATES if gate not in clear)
        alike[left][array] = list(zip(leaves, clear, strict=True))
    ways = [
        [
            {
                array: {gate or next(rest): leaf for leaf, gate in leaves}
                for array, leaves in arrays.items()
                for rest in [iter(order)]
            }
            for order in itertools.permutations(left)
        ]
        for left, arrays in alike.items()
    ]
    together = ({array: gates for way in chosen for array, gates in way.items()} for chosen in itertools.product(*ways))
    return list(itertools.islice(together, MOST_CHOICES))


def open_groups(found: Sorted) -> dict[str, list[Leaf]]:
    """Group weights by fours whose names do not all say which gate they belong to."""
    groups = {
        array: leaves
        for array, leaves in found.single.items()
        if len(leaves) == len(GATES) and None in clear_gates([leaf.path for leaf in leaves])
    }
    loose = [leaf for leaf in found.unit_biases if leaf.layer is None]
    # A bias that stands alone beside one kernel belongs to that kernel.
    owners = [_owner(leaf.path) for array in ("kernel", "both") for leaf in found.single[array]]
    beside = {_owner(leaf.path) for leaf in loose} <= {owner for owner in owners if owners.count(owner) == 1}
    if len(loose) == len(GATES) and not beside and None in clear_gates([leaf.path for leaf in loose]):
        groups["bias"] = loose
    return groups


def find_pairing(
    leaves: Sequence[Leaf], features: int, units: int, call: Callable[[], np.ndarray]
) -> dict[str, list[int]]:
    """Pair weights of open groups that belong to the same gate: places in each group, in the first one's order.

    A gate that its first weight drives into saturation does not feel its other weights: the one whose change leaves the
    answer as it is, bit for bit, is its partner. Nothing is compared with a right answer here.

    Args:
        call: the model's answer to a few steps of positive numbers, with the weights as they are.
    Returns:
        nothing where the experiment does not tell, or where there is only one group.
    """
    found = sort_by_shape(leaves, features, units)
    groups = open_groups(found)
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
            unfelt = [place for place, leaf in enumerate(groups[array]) if np.array_equal(answer, changed(leaf, call))]
            places[array] += unfelt
        driven.variable.assign(before)
    if any(sorted(found_places) != [0, 1, 2, 3] for found_places in places.values()):
        return {}
    return places


def _single_placement(choice: dict[str, dict[str, Leaf]], biases: list[Leaf], split: str) -> Placement:
    placement = Placement()
    gates_of_owner: dict[str, list[str]] = defaultdict(list)
    kernels = {array: gates for array, gates in choice.items() if array != "bias"}
    for array, gates in kernels.items():
        for gate, leaf in gates.items():
            gates_of_owner[leaf.layer or _owner(leaf.path)].append(gate)
            if leaf.variable is not None:
                placement.slots.append((leaf, array, gate, split))
    input_paths = [leaf.path for array in ("kernel", "both") for leaf in kernels.get(array, {}).values()]
    loose = [leaf for leaf in biases if leaf.layer is None]
    named = choice.get("bias") or (gates_by_name(loose, []) if len(loose) == len(GATES) else {})
    gate_of_loose = {id(leaf): gate for gate, leaf in named.items()}

    def gate_of(leaf: Leaf) -> str | None:
        # A bias goes with the kernel beside it; when one object has several biases, names decide.
        beside = gates_of_owner.get(leaf.layer or _owner(leaf.path), [])
        if leaf.layer is not None or len(set(beside)) == 1:
            return beside[-1] if beside else None
        return gate_of_loose.get(id(leaf)) or gate_of_path(leaf.path) or (beside[-1] if beside else None)

    _assign_biases(placement, biases, input_paths, gate_of)
    return placement


def _assign_biases(
    placement: Placement, biases: list[Leaf], input_paths: list[str], gates_of: Callable[[Leaf], str | None]
) -> None:
    """Give each gate the bias beside its input weights, else its first one; the other biases become zero."""
    owners = {_owner(path) for path in input_paths}
    taken: set[str] = set()
    for leaf in sorted(biases, key=lambda leaf: _owner(leaf.path) not in owners):
        gates = gates_of(leaf)
        if not gates:
            continue
        if gates in taken:
            placement.zeros.append((leaf, gates))
        else:
            taken.add(gates)
            placement.slots.append((leaf, "bias", gates, ""))


def _owner(path: str) -> str:
    return path.rpartition(".")[0]


def inject(placement: Placement, weights: dict[str, np.ndarray]) -> None:
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

    for leaf, array, gates, split in placement.slots:
        leaf.variable.assign(laid_out(columns(array, gates, split), leaf, len(gates)))
    for leaf in [*(leaf for leaf, _ in placement.zeros), *placement.misfed]:
        leaf.variable.assign(np.zeros(leaf.shape or (), np.float32))
    for leaf in placement.peepholes:
        open_to_c(leaf, units)


def collect(
    placement: Placement, features: int, units: int, gradients: Sequence[np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Reverse `inject`: return the student's weights as a Keras LSTM would hold them, NaN where there is none.

    Args:
        gradients: laid out in place of the weights, one for each of the slots.
    """
    shapes = {"kernel": (features, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    weights = {name: np.full(shape, np.nan, np.float32) for name, shape in shapes.items()}

    def put(array: str, gates: str, values: np.ndarray, *, add: bool = False) -> None:
        for place, gate in enumerate(gates):
            start = GATES.index(gate) * units
            target = weights[array][..., start : start + units]
            part = values[..., place * units : (place + 1) * units]
            target[...] = target + part if add else part

    held = gradients or [np.asarray(leaf.variable, np.float32) for leaf, *_ in placement.slots]
    for (leaf, array, gates, split), values in zip(placement.slots, held, strict=True):
        values = as_columns(values, leaf, array, len(gates))
        if array == "both":
            height = features if split == "xh" else units
            first, second = values[:height], values[height:]
            put("kernel", gates, first if split == "xh" else second)
            put("recurrent_kernel", gates, second if split == "xh" else first)
        else:
            put(array, gates, values)
    for leaf, gates in placement.zeros if gradients is None else ():
        put("bias", gates, np.asarray(leaf.variable, np.float32).ravel(), add=True)
    return weights
