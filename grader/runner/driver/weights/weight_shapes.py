"""Tells from a weight's shape what it multiplies.

Sizes are distinct, so ``(features, .)`` takes the input and ``(units, .)`` the hidden state; ``4 * units`` columns are
those of all gates at once.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gate_words import GATES

from driver.weights.gate_names import gate_of_path, gates_by_name
from driver.weights.leaves import Leaf, Use, find_leaves


@dataclass
class Sorted:
    """Weights sorted by use: all gates at once, one gate, two or three; biases likewise; and layers never built."""

    fused: dict[str, list[Leaf]]
    single: dict[str, list[Leaf]]
    bundled: dict[str, list[Leaf]]
    fused_biases: list[Leaf]
    unit_biases: list[Leaf]
    bundled_biases: list[Leaf]
    unbuilt: list[Leaf]


def sort_by_shape(leaves: Sequence[Leaf], features: int, units: int) -> Sorted:
    """Sort weights by what they multiply, told by their shapes; sets the `layout` of each.

    A weight may stand as Keras has it, ``(rows, gates * units)``, transposed, or with an axis of its own for the gates.
    Where a shape can be read in two ways (a square matrix), the layout that fits most of the weights is used. What the
    first model showed counts for all others: at some sizes one kernel looks like another.
    """
    rows = {"kernel": features, "recurrent_kernel": units, "both": features + units}
    # Weights of a normalisation layer are as long as a bias, but are none.
    scaling = {leaf.path.rpartition(".")[0] for leaf in leaves if leaf.path.endswith(".gamma")}
    shaped = [leaf for leaf in leaves if leaf.shape is not None and leaf.path.rpartition(".")[0] not in scaling]
    fused: dict[str, list[Leaf]] = {array: [] for array in rows}
    single: dict[str, list[Leaf]] = {array: [] for array in rows}
    bundles: dict[str, list[Leaf]] = {array: [] for array in rows}
    readings: list[tuple[Leaf, dict[str, list[Leaf]], dict[str, tuple[str, ...]]]] = []
    for leaf in shaped:
        for gates, groups in ((4, fused), (1, single), (2, bundles), (3, bundles)):
            fits = {
                array: fit
                for array, height in rows.items()
                if (
                    fit := tuple(
                        each for each in _layouts(leaf, height, units, gates) if _agrees(leaf, gates, array, each)
                    )
                )
            }
            if fits:
                leaf.gates = gates
                readings.append((leaf, groups, fits))
                break
    popular = Counter(layout for _, _, fits in readings for fit in fits.values() for layout in fit)
    has_fused = any(groups is fused for _, groups, _ in readings)
    biases = []
    for leaf, groups, fits in readings:
        # With four features a bias (4, units) or (units, 4) looks like the kernel of one gate.
        is_like_bias = leaf.is_shaped((4, units), (units, 4)) and groups is single and leaf.use is None
        if is_like_bias and (has_fused or leaf.path.rpartition(".")[2][:1] in "bB"):
            biases.append(leaf)
            continue
        array = next(iter(fits))
        likely = sorted(fits[array], key=lambda layout: -popular[layout])
        leaf.is_square = len(likely) > 1
        leaf.layout = likely[0]
        groups[array].append(leaf)
    taken = {id(leaf) for leaf, _, _ in readings}
    # The kernel of a Dense layer of one unit, ``(units, 1)``, is no bias.
    biases += [leaf for leaf in shaped if id(leaf) not in taken and not leaf.is_kernel]
    for leaf in biases:
        leaf.layout = "gates_last" if leaf.is_shaped((units, 4)) else "plain"
        leaf.gates = leaf.bare[0] // units if len(leaf.bare) == 1 else max(1, math.prod(leaf.bare) // units)
    bundled = {array: _together(single[array], bundles[array], shaped) for array in rows if not fused[array]}
    several = [leaf for leaf in biases if leaf.is_shaped((2 * units,), (3 * units,), (2, units), (3, units))]
    loose = [leaf for leaf in biases if leaf.is_shaped((units,)) and leaf.layer is None]
    bundled["bias"] = _together(loose, [leaf for leaf in several if leaf.layer is None], shaped)
    return Sorted(
        fused,
        {array: [] if bundled.get(array) else leaves for array, leaves in single.items()},
        {array: bundled.get(array, []) for array in (*rows, "bias")},
        [leaf for leaf in biases if leaf.is_shaped((4 * units,), (4, units), (units, 4))],
        [leaf for leaf in biases if leaf.is_shaped((units,))],
        several if any(bundled.values()) else [],
        [leaf for leaf in leaves if leaf.shape is None],
    )


def _together(single: list[Leaf], bundles: list[Leaf], order: Sequence[Leaf]) -> list[Leaf]:
    """Return weights of one gate and of several that make four gates together; none where they do not."""
    found = [leaf for leaf in order if leaf in bundles or leaf in single]
    return found if bundles and sum(leaf.gates for leaf in found) == len(GATES) else []


def _agrees(leaf: Leaf, *use: int | str) -> bool:
    return leaf.use is None or leaf.use == use


def uses(found: Sorted) -> dict[str, Use]:
    """Map path -> what a weight is for."""
    groups = [(4, array, leaves) for array, leaves in found.fused.items()]
    groups += [(1, array, leaves) for array, leaves in found.single.items()]
    groups += [(0, "bias", [*found.fused_biases, *found.unit_biases, *found.bundled_biases])]
    used = {leaf.path: (gates, array, leaf.layout) for gates, array, leaves in groups for leaf in leaves}
    bundled = ((array, leaf) for array, leaves in found.bundled.items() for leaf in leaves)
    return used | {leaf.path: (leaf.gates, array, leaf.layout) for array, leaf in bundled}


def is_crowded(found: Sorted) -> bool:
    """Return whether there are more weights than one layer needs, so that some of them may do nothing."""
    loose = [leaf for leaf in found.unit_biases if leaf.layer is None]
    gates = [len(found.single[array]) + len(GATES) * len(found.fused[array]) for array in found.single]
    most = max(*gates, len(loose) + len(GATES) * sum(leaf.layer is None for leaf in found.fused_biases))
    return most > len(GATES) or bool(gates[-1] and any(gates[:-1]))


def may_be_states(leaves: Sequence[Leaf], found: Sorted, units: int) -> bool:
    """Return whether there are variables of no layer that are as wide as h and fit no weight."""
    fitting = [leaf for groups in (found.fused, found.single) for group in groups.values() for leaf in group]
    known = {id(leaf) for leaf in fitting}
    loose = [leaf for leaf in leaves if leaf.layer is None and leaf.shape is not None and id(leaf) not in known]
    return any(leaf.shape[-1:] == (units,) and len(leaf.shape) > 1 for leaf in loose if leaf.shape)


def count_gates(model: Any, names: dict[str, Any], features: int, units: int) -> dict[str, int]:
    """Count the gates' worth of ``kernels`` and ``recurrent_kernels`` in a model; one cell has four of each."""
    found = sort_by_shape(find_leaves(model, names), features, units)

    def gates(array: str) -> int:
        names = (array, "both")
        held = [leaf for name in names for leaf in (*found.single[name], *found.fused[name], *found.bundled[name])]
        return sum(leaf.gates for leaf in held)

    return {"kernels": gates("kernel"), "recurrent_kernels": gates("recurrent_kernel")}


MOST_TOLD = 16


def gaps(leaves: Sequence[Leaf], features: int, units: int) -> dict[str, Any]:
    """Report why gates get no weights: `misshapen` ones, and gates `without_weights`."""
    return {
        "misshapen": misshapen(leaves, features, units)[:MOST_TOLD],
        "without_weights": without_weights(leaves, features, units),
    }


def misshapen(leaves: Sequence[Leaf], features: int, units: int) -> list[dict[str, Any]]:
    """Find matrices that are named after a gate and do not have its width, such as those of ``Dense(1)``.

    Returns: ``gate``, ``path`` of the layer or the weight, its ``shape`` and the one ``expected``.
    """
    found = sort_by_shape(leaves, features, units)
    kinds = (found.fused, found.single, found.bundled)
    fitting = [leaf for groups in kinds for group in groups.values() for leaf in group]
    fitting += [*found.fused_biases, *found.unit_biases]
    known = {id(leaf) for leaf in fitting}
    heard = gates_by_name(found.single["recurrent_kernel"], [])
    wrong: list[dict[str, Any]] = []
    for leaf in leaves:
        gate = gate_of_path(leaf.layer or leaf.path)
        if gate is None or id(leaf) in known or leaf.shape is None or len(leaf.shape) != 2:
            continue
        # The first matrix of a gate with as many rows as x has features takes x, and one beside a right matrix for h.
        of_x = leaf.shape[0] in (features, features + units)
        again = any((other["gate"], other["expected"][0]) == (gate, leaf.shape[0]) for other in wrong)
        rows = leaf.shape[0] if of_x and not again else features if gate in heard else units
        path = leaf.layer or leaf.path
        wrong.append({"gate": gate, "path": path, "shape": list(leaf.shape), "expected": [rows, units]})
    return wrong


def without_weights(leaves: Sequence[Leaf], features: int, units: int) -> dict[str, str]:
    """Find gates without any weight for the input, or for the hidden state, where the other gates have one by name.

    Returns: ``kernel`` and ``recurrent_kernel`` -> letters of those gates.
    """
    found = sort_by_shape(leaves, features, units)
    if any(found.fused.values()) or any(found.bundled.values()) or found.single["both"]:
        return {}
    if not any(found.single.values()) and any(leaf.shape for leaf in leaves):
        return {}  # there are weights, in an order of their own
    wrong = {(item["gate"], item["expected"][0]) for item in misshapen(leaves, features, units)}
    missing = {}
    for array, rows in (("kernel", features), ("recurrent_kernel", units)):
        group = found.single[array]
        named = gates_by_name(group, found.unbuilt)
        have = {*named, *(gate for gate, height in wrong if height == rows)}
        if len(group) < 4 and len({id(leaf) for leaf in named.values()} & set(map(id, group))) == len(group):
            missing[array] = "".join(gate for gate in GATES if gate not in have)
    return {array: gates for array, gates in missing.items() if gates}


def _layouts(leaf: Leaf, rows: int, units: int, gates: int) -> tuple[str, ...]:
    """Return the layouts in which a weight of these rows and gates can have this shape."""
    if math.prod(leaf.bare) != rows * gates * units:
        return ()
    shapes: dict[str, tuple[int, ...]] = {"plain": (rows, gates * units), "transposed": (gates * units, rows)}
    if gates > 1:
        shapes |= {
            "stacked": (gates, rows, units),
            "stacked_transposed": (gates, units, rows),
            "split": (rows, gates, units),
            "gates_last": (rows, units, gates),
        }
    return tuple(layout for layout, shape in shapes.items() if leaf.is_shaped(shape))


def laid_out(columns: np.ndarray, leaf: Leaf, gates: int) -> np.ndarray:
    """Put columns of one or four gates, ``(rows, gates * units)`` or ``(gates * units,)``, into a weight's shape."""
    if columns.ndim == 2:
        by_gate = columns.reshape(columns.shape[0], gates, -1)
        columns = {
            "plain": columns,
            "transposed": columns.T,
            "stacked": by_gate.transpose(1, 0, 2),
            "stacked_transposed": by_gate.transpose(1, 2, 0),
            "split": by_gate,
            "gates_last": by_gate.transpose(0, 2, 1),
        }[leaf.layout]
    elif leaf.layout == "gates_last":
        columns = columns.reshape(gates, -1).T
    return columns.reshape(leaf.shape or ())


def open_to_c(leaf: Leaf, units: int) -> None:
    """Let a gate see the memory as it is: by a matrix or a vector of ones, for one gate or for several."""
    is_matrix = len(leaf.bare) == 2 and leaf.bare[0] == units
    value = np.tile(np.eye(units), (1, leaf.bare[1] // units)) if is_matrix else np.ones(leaf.shape or ())
    leaf.assign(value.reshape(leaf.shape or ()).astype(np.float32))
