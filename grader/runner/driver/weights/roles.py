"""Pairs the student's weights with their roles: which slice of the Keras weights goes where.

The shape of a weight says what it multiplies (weight_shapes.py); its name says which gate it belongs to
(gate_names.py). A fused weight of four gates takes the order in which the student's own code unpacks it.

Names are never overruled: a student who calls the forget gate ``Wi`` has swapped two gates, and trying other orders
would excuse every such mistake. Only where names say nothing, or the code unpacks in different orders, is there more
than one candidate, and numbers decide.
"""

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from gate_words import GATES

from driver.weights.gate_names import clear_gates, gate_of_path, gates_by_name, manner, possible_orders
from driver.weights.leaves import Leaf, restored
from driver.weights.placements import Placement, Slot
from driver.weights.used import answer_after_change
from driver.weights.weight_shapes import Sorted, sort_by_shape

# Array of the Keras layer -> the student's weights that are a part of it, each with its gates in column order.
Shares = dict[str, list[tuple[Leaf, str]]]

# Drives a gate so far that the rest of its sum has no effect; below 44, where a hand-written tanh overflows.
SATURATING = 30.0
MOST_CHOICES = 96


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
    wrong = find_misfed(found)
    found.single = {array: [leaf for leaf in group if leaf not in wrong] for array, group in found.single.items()}
    ways, is_complete = _ways(found, unpack_names, pairing or {})
    if not ways:
        return [], None
    # Kinds of weights that are wholly open take the same of all orders: the first of each go together.
    every = math.factorial(len(GATES))
    together = [_union(each) for each in zip(*(way for way in ways if len(way) == every), strict=True)]
    settled = [way for way in ways if len(way) != every]
    chosen = map(_union, itertools.product(*settled, *([together] if together else [])))
    splits = _splits(found, joined)
    placements = [
        _placement(shares, found, split)
        for shares, split in itertools.product(itertools.islice(chosen, MOST_CHOICES), splits)
    ]
    for placement in placements:
        placement.misfed = wrong
    if not is_complete:
        return placements, None
    return placements, "names" if len(placements) == 1 and splits == ("",) else "numbers"


def find_misfed(found: Sorted) -> list[Leaf]:
    """Find weights whose shape says that they take x, where their siblings by name take h, or the other way round."""
    wrong = []
    for array, other in (("kernel", "recurrent_kernel"), ("recurrent_kernel", "kernel")):
        siblings = [manner(leaf.path) for leaf in found.single[other]]
        alone = [leaf for leaf in found.single[array] if siblings.count(manner(leaf.path)) == len(GATES) - 1]
        if len(alone) == 1 and len(found.single[array]) == len(GATES) + 1:
            wrong += alone
    return wrong


def _union(shares: Iterable[Shares]) -> Shares:
    return {array: leaves for each in shares for array, leaves in each.items()}


def _splits(found: Sorted, joined: str | None) -> tuple[str, ...]:
    """List the possible orders of rows in a weight that takes x and h joined."""
    if not any(groups["both"] for groups in (found.fused, found.single, found.bundled)):
        return ("",)
    return (joined,) if joined else ("xh", "hx")


def _ways(
    found: Sorted, unpack_names: Sequence[Sequence[str]], pairing: dict[str, list[int]]
) -> tuple[list[list[Shares]], bool]:
    """List what each kind of weight may hold: weights of all gates at once, of one gate, and of two or three.

    Returns:
        alternatives for each kind, to be combined; and False where some gates have no weight.
    """
    singles = {array: leaves for array, leaves in found.single.items() if leaves}
    named = {array: gates_by_name(leaves, found.unbuilt) for array, leaves in singles.items()}
    opened = open_groups(found)
    is_complete = opened.keys() >= {array for array, gates in named.items() if len(gates) < len(GATES)}
    if not is_complete:
        opened = {}  # too few weights, or too many: go by names alone
    first = next(iter(opened), None)
    ordered = {
        array: [leaves[place] for place in pairing.get(array, range(4))] if array != first else leaves
        for array, leaves in opened.items()
    }
    biases = bias_group(found)
    if biases and "bias" not in opened and len(clear := gates_by_name(biases, [])) == len(GATES):
        named["bias"] = clear
    known = {array: [(leaf, gate) for gate, leaf in gates.items()] for array, gates in named.items()}
    ways = [[known | each for each in _choices(ordered)]] if known or ordered else []
    if fused := _fused_ways(found, unpack_names):
        ways.append(fused)
    ways += _deals(found)
    return ways if singles or any(found.fused.values()) or any(found.bundled.values()) else [], is_complete


def _fused_ways(found: Sorted, unpack_names: Sequence[Sequence[str]]) -> list[Shares]:
    """List the orders of gates in weights that hold all of them, in the student's own words where these settle it."""
    arrays = {array: leaves for array, leaves in found.fused.items() if leaves}
    biases = [leaf for leaf in found.fused_biases if leaf.layer is None]
    if not arrays and not biases:
        return []
    possible, several_settled = possible_orders(unpack_names)
    several = [*arrays] or ["bias"]
    # Where the code splits in several orders, each array may have its own; the bias goes with the first.
    taken = (
        itertools.product(possible, repeat=len(several))
        if several_settled
        else ([each] * len(several) for each in possible)
    )
    return [
        {array: [(leaf, order) for leaf in arrays.get(array, [])] for array, order in zip(several, each, strict=True)}
        | ({"bias": [(leaf, each[0]) for leaf in biases]} if biases else {})
        for each in taken
    ]


def _deals(found: Sorted) -> list[list[Shares]]:
    """List the ways to deal four gates to weights of several gates each; weights of the same widths get the same."""
    alike: dict[tuple[int, ...], dict[str, list[Leaf]]] = defaultdict(dict)
    for array, leaves in found.bundled.items():
        if leaves:
            alike[tuple(leaf.gates for leaf in leaves)][array] = leaves
    ways = []
    for widths, arrays in alike.items():
        ends = list(itertools.accumulate(widths))
        deals = [
            ["".join(order[end - width : end]) for width, end in zip(widths, ends, strict=True)]
            for order in itertools.permutations(GATES)
        ]
        # Within one weight the order matters, and names bind weights of one gate.
        clear = _clear_among(next(iter(arrays.values())))
        deals = [
            deal for deal in deals if all(not gate or gate == part for gate, part in zip(clear, deal, strict=True))
        ]
        ways.append(
            [{array: list(zip(leaves, deal, strict=True)) for array, leaves in arrays.items()} for deal in deals]
        )
    return [way for way in ways if way]


def _clear_among(leaves: Sequence[Leaf]) -> list[str | None]:
    """Return the gates that weights of one gate are named after, beside those of several; None where that is open."""
    clear = clear_gates([leaf.path for leaf in leaves if leaf.gates == 1])
    # One clear name alone says nothing, as C in A, B, C.
    if len(clear) > 1 and len(set(clear) - {None}) == 1:
        clear = [None] * len(clear)
    named = iter(clear)
    return [next(named) if leaf.gates == 1 else None for leaf in leaves]


def _choices(opened: dict[str, list[Leaf]]) -> list[Shares]:
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
                array: [(leaf, gate or next(rest)) for leaf, gate in leaves]
                for array, leaves in arrays.items()
                for rest in [iter(order)]
            }
            for order in itertools.permutations(left)
        ]
        for left, arrays in alike.items()
    ]
    return [_union(chosen) for chosen in itertools.product(*ways)]


def bias_group(found: Sorted) -> list[Leaf]:
    """Return the four biases of no layer that go with the four gates; of two such groups the first."""
    loose = [leaf for leaf in found.unit_biases if leaf.layer is None]
    if len(loose) == len(GATES):
        return loose
    groups: dict[str, list[Leaf]] = defaultdict(list)
    for leaf in loose:
        # ``b_ii b_if b_ig b_io``, ``R[0] R[1] R[2] R[3]``
        groups[re.sub(r"(\w|\[[^\]]*\])$", "", leaf.path)].append(leaf)
    return next((group for group in groups.values() if len(group) == len(GATES)), [])


def open_groups(found: Sorted) -> dict[str, list[Leaf]]:
    """Group weights by fours whose names do not all say which gate they belong to."""
    groups = {
        array: leaves
        for array, leaves in found.single.items()
        if len(leaves) == len(GATES) and None in clear_gates([leaf.path for leaf in leaves])
    }
    biases = bias_group(found)
    # A bias that stands alone beside one kernel belongs to that kernel.
    owners = [_owner(leaf.path) for array in ("kernel", "both") for leaf in found.single[array]]
    beside = {_owner(leaf.path) for leaf in biases} <= {owner for owner in owners if owners.count(owner) == 1}
    if biases and not beside and None in clear_gates([leaf.path for leaf in biases]):
        groups["bias"] = biases
    return groups


def find_pairing(
    leaves: Sequence[Leaf], features: int, units: int, call: Callable[[], np.ndarray]
) -> dict[str, list[int]]:
    """Pair weights of open groups that belong to the same gate: places in each group, in the first one's order.

    A gate that its first weight drives into saturation does not feel its other weights: the one whose change leaves the
    answer as it is, bit for bit, is its partner. Nothing is compared with a right answer here.

    Args:
        call: the model's answer to a few steps of positive numbers whose sum is 1, with the weights as they are.
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
    built = [leaf for leaf in leaves if leaf.variable is not None]
    places: dict[str, list[int]] = {array: [] for array in others}
    with restored(built):
        for leaf in built:
            leaf.assign(random.normal(0.0, 0.3, leaf.shape).astype(np.float32))
        for driven in groups[first]:
            with restored([driven]):
                driven.assign(np.full(driven.shape or (), SATURATING, np.float32))
                answer = call()
                for array in others:
                    places[array] += [
                        place
                        for place, leaf in enumerate(groups[array])
                        if np.array_equal(answer, answer_after_change(leaf, call))
                    ]
    if any(sorted(found_places) != [0, 1, 2, 3] for found_places in places.values()):
        return {}
    return places


def _placement(shares: Shares, found: Sorted, split: str) -> Placement:
    placement = Placement()
    gates_of_owner: dict[str, list[str]] = defaultdict(list)
    for array, leaves in shares.items():
        for leaf, gates in leaves if array != "bias" else ():
            gates_of_owner[leaf.layer or _owner(leaf.path)].append(gates)
            if leaf.variable is not None:
                placement.slots.append(Slot(leaf, array, gates, split))
    input_paths = [leaf.path for array in ("kernel", "both") for leaf, _ in shares.get(array, [])]
    gates_of_bias = {id(leaf): gates for leaf, gates in shares.get("bias", [])}

    def gates_of(leaf: Leaf) -> str | None:
        # A bias goes with the kernel beside it; when one object has several biases, names decide.
        beside = gates_of_owner.get(leaf.layer or _owner(leaf.path), [])
        gates_in = _gates_in(leaf, found)
        if (leaf.layer is not None or len(set(beside)) == 1) and beside and len(beside[-1]) == gates_in:
            return beside[-1]
        return gates_of_bias.get(id(leaf)) or (gate_of_path(leaf.path) if not leaf.layer and gates_in == 1 else None)

    biases = [*found.fused_biases, *found.unit_biases, *found.bundled_biases]
    # ``start_c`` beside four biases is no bias, whatever its name says.
    biases.sort(key=lambda leaf: id(leaf) not in gates_of_bias)
    _assign_biases(placement, biases, input_paths, gates_of)
    return placement


def _gates_in(bias: Leaf, found: Sorted) -> int:
    return len(GATES) if bias in found.fused_biases else 1 if bias in found.unit_biases else bias.gates


def _assign_biases(
    placement: Placement, biases: list[Leaf], input_paths: list[str], gates_of: Callable[[Leaf], str | None]
) -> None:
    """Give each gate the bias beside its input weights, else its first one; the other biases become zero."""
    owners = {_owner(path) for path in input_paths}
    taken: set[str] = set()
    # One that is named comes before one that is not.
    for leaf in sorted(biases, key=lambda leaf: (_owner(leaf.path) not in owners, gates_of(leaf) is None)):
        gates = gates_of(leaf)
        if gates is None or taken & set(gates):
            placement.zeros.append(Slot(leaf, "bias", gates or "", is_second=True))
        else:
            taken |= set(gates)
            placement.slots.append(Slot(leaf, "bias", gates))


def _owner(path: str) -> str:
    return path.rpartition(".")[0]
