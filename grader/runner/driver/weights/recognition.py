"""Placements of weights that the trusted side recognised by their gradients (`grader.execution.recognition`)."""

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from gate_words import GATES

from driver.weights.gate_names import clear_gates, possible_orders
from driver.weights.leaves import Leaf
from driver.weights.placements import Placement, Slot


def open_weights(leaves: Sequence[Leaf], units: int) -> list[Leaf]:
    """Return the weights that may be recognised, in the order of their numbers.

    A weight that is not trained is a setting. A number alone is a scale or counts calls, unless each unit has one, and
    ones of another length than a bias scale something.
    """
    # A slice that a notebook put in the place of a kernel is a tensor.
    trained = [leaf for leaf in leaves if getattr(leaf.variable, "trainable", False)]
    arrays = [(leaf, np.array(leaf.variable)) for leaf in trained]
    are_alone = sum(array.size == 1 for _, array in arrays) < units
    return [
        leaf
        for leaf, array in arrays
        if array.size % units == 0 or not (are_alone if array.size == 1 else (array == 1).all())
    ]


def placement_of(
    leaves: Sequence[Leaf],
    arrays: dict[str, np.ndarray],
    features: int,
    units: int,
    unpack_names: Sequence[Sequence[str]],
) -> Placement | None:
    """Return the placement of weights that were recognised; None where none were.

    A clear name binds here too: a weight that is recognised as another gate's gets the numbers of the gate that it is
    named after.

    Args:
        arrays: of the request; one has the places of the numbers of all `open_weights` in those of the Keras layer,
            as `grader.execution.recognition` finds them.
    """
    weights = open_weights(leaves, units)
    ends = list(itertools.accumulate(math.prod(leaf.shape or ()) for leaf in weights))
    places = arrays.get(f"places/{features}/{units}")
    if places is None or not ends or ends[-1] != places.size:
        return None
    # The last place is that of the last gate's last bias.
    placement = Placement(gates=int(places.max() + 1) // ((features + units + 1) * units))
    columns = placement.gates * units
    for leaf, own in zip(weights, np.split(places, ends[:-1]), strict=True):
        targets = np.where(own < -1, -2 - own, own)[own != -1]
        if targets.size:
            row, gate = targets // columns, targets % columns // units
            takes = (row < features).any(), ((row >= features) & (row < features + units)).any()
            slot = Slot(
                leaf,
                {(True, True): "both", (True, False): "kernel", (False, True): "recurrent_kernel"}.get(takes, "bias"),
                "".join(dict.fromkeys(GATES[each] for each in gate)),
                is_second=bool((own < 0).all()),
                recognised=own.reshape(leaf.shape or ()),
            )
            (placement.zeros if slot.is_second else placement.slots).append(slot)
    slots = [*placement.slots, *placement.zeros]
    for slot, gates in zip(slots, _gates_by_names(slots, unpack_names), strict=True):
        slot.rename(gates, units)
    return placement


def _gates_by_names(slots: Sequence[Slot], unpack_names: Sequence[Sequence[str]]) -> list[str]:
    """Return the gates of each weight as names say, or the recognised ones where these say nothing."""
    whole = [slot for slot in slots if len(slot.gates) == len(GATES)]
    possible, _ = possible_orders(unpack_names)
    # Where one split alone has names, they may be those of one weight, while the parts of another have none.
    if len(unpack_names) == 1 and any(slot.gates in possible for slot in whole):
        possible = [slot.gates for slot in whole]
    groups: dict[tuple[str, bool], list[Slot]] = defaultdict(list)
    for slot in slots:
        if len(slot.gates) == 1:
            groups[slot.array, slot.is_second].append(slot)
    clear: dict[int, str] = {}
    for group in groups.values():
        gates = clear_gates([slot.leaf.path for slot in group])
        if len(set(gates) - {None}) > 1:  # one name alone says nothing
            clear |= {id(slot): gate for slot, gate in zip(group, gates, strict=True) if gate}
    return [
        possible[0] if slot in whole and slot.gates not in possible else clear.get(id(slot), slot.gates)
        for slot in slots
    ]
