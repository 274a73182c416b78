"""Finds the order of the parts of a fused product in the followed class."""

import operator
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence, Set

from box_requests import ACTIVATIONS
from gate_words import GATES, gate_of_name

from reader.parts.gates import THROUGH, Gates, activation, is_weight
from reader.tracing.traces import Trace
from reader.tracing.values import Const, Node, Seq, Value, reachable_nodes

MOST_SPLITS, MOST_NESTED, MOST_NODES = 50, 16, 2000
#: Stands for the size that is counted from in ``z[:, -n:]``.
LARGE = 1e9
#: Values that are a size or count steps.
SIZES = frozenset({"name", "parameter", "attribute", "size", "shape", "state", "index", "div", "floordiv"})
COMPUTED: dict[str, Callable[[float, float], float]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
}
JOINING = frozenset({"concat", "stack"})
#: The place of a part in an array, from the outermost split inwards; each number only serves to compare.
Place = tuple[float, ...]


def unpack_names(trace: Trace) -> list[list[str]]:
    """Return the names of the four parts of each array, in their order in it.

    An array that was put together from parts of another one has an order of its own, and is left out.
    """
    nodes, recognised = _nodes(trace), Gates()
    users = {id(inner): node for node in nodes for inner in node.inputs()}
    # One that is written by hand lies several operations away.
    users |= {id(inner): node for node in nodes if (inner := activation(node)) is not None}
    arrays: dict[Hashable, Node] = {}
    parts: dict[Hashable, dict[Place, list[Node]]] = defaultdict(lambda: defaultdict(list))
    for node in nodes if len(nodes) <= MOST_NODES else ():
        if (found := _part(node)) is not None:
            array, place = found
            key: Hashable = (id(array.args[0]), array.label) if array.op == "attribute" else id(array)
            arrays[key] = array
            parts[key][place].append(node)
    splits: list[list[str]] = []
    for key, array in arrays.items():
        for places in _fours(parts[key].keys()) if _has_order_of_weights(array, recognised) else ():
            names = _names([parts[key][place] for place in places], users, recognised)
            if names and names not in splits:
                splits.append(names)
    return splits[:MOST_SPLITS]


def _nodes(trace: Trace) -> list[Node]:
    results: list[Value] = [answer.value for answer in trace.answers]
    # A variable that is assigned to may lie between them and the answer.
    results += [node for node, _ in trace.named_values]
    for loop in trace.loops:
        results += [each.after for each in loop.carried] + [each.value for each in loop.collected]
    return reachable_nodes(results)


def _fours(parts: Set[Place]) -> Iterator[list[Place]]:
    """Yield the places of four parts in their order; a part that is divided again is none."""
    divided = {place[:end] for place in parts for end in range(1, len(place))}
    ends = sorted(parts - divided)
    groups: dict[Place, list[Place]] = defaultdict(list)
    for place in ends:
        groups[() if len(ends) == len(GATES) else place[:-1]].append(place)
    return (group for group in groups.values() if len(group) == len(GATES))


def _part(part: Node) -> tuple[Node, Place] | None:
    """Return the value that another one is a part of, and its place there; None where it is none or that is unclear."""
    place: Place = ()
    value: Value = part
    for _ in range(MOST_NESTED):
        match value:
            case Node(op="item" | "slice()", args=(owner, index, *_)):
                if (taken := _place(index)) is None:
                    return None
                place, value = taken + place, owner
            case Node(op=op, args=(inner, *_)) if place and op != "attribute" and (op in THROUGH or op in ACTIVATIONS):
                value = inner
            case Seq(items=[Node() as inner]):  # it stands for all
                value = inner
            case _:
                break
    return (value, place) if place and isinstance(value, Node) else None


def _has_order_of_weights(array: Node, recognised: Gates) -> bool:
    """Return whether an array is made of weights or products, and no parts of one were joined on the way."""
    if not (recognised.is_sum(array) or (array.op in ("weight", "attribute") and is_weight(array))):
        return False
    waiting, seen = [array], set[int]()
    while waiting:
        node = waiting.pop()
        if node.op in JOINING and any(each.op in ("item", "slice()") for each in node.inputs()):
            return False
        if id(node) not in seen:
            seen.add(id(node))
            waiting += [each for each in node.inputs() if recognised.is_sum(each) or is_weight(each)]
    return True


def _place(index: Value) -> Place | None:
    """Return the place that an index takes: empty for the whole of an axis, None where it is unclear."""
    match index:
        case Seq(items=items):
            places = [_place(each) for each in items]
            return None if None in places else tuple(number for place in places for number in place or ())
        case Node(op="slice", args=(first, last, Const(value=step))):
            if isinstance(step, int) and step < 0:
                return None
            if isinstance(first, Const) and first.value is None:
                is_whole = isinstance(last, Const) and last.value is None and step is None
                return () if is_whole else (0.0,)
            index = first
        case Const(value=value) if value is None or value is ...:
            return ()
    number = _number(index)
    return None if number is None else (number if number >= 0 else LARGE + number,)


def _number(value: Value) -> float | None:
    """Compute a bound such as ``2 * n`` with every size as 1: enough to put four of them in order."""
    match value:
        case Const(value=int() | float() as known):
            return float(known)
        case Node(op="neg", args=(inner,)):
            number = _number(inner)
            return None if number is None else -number
        case Node(op=op, args=(left, right)) if op in COMPUTED:
            first, second = _number(left), _number(right)
            return COMPUTED[op](first, second) if first is not None and second is not None else None
        case Node(op="index", args=(Node(op="range", args=(_, _, step)),)):
            return 1.0 if (each := _number(step)) is not None and each > 0 else None
        case Node(op="item", args=(Node(op="shape") | Node(label="shape"), _)):
            return 1.0
        case Node(op=op) if op in SIZES:
            return 1.0
    return None


def _names(parts: Sequence[list[Node]], users: Mapping[int, Node], recognised: Gates) -> list[str]:
    """Return the names that the parts got first; those that they got last, or those around them, where these say more.

    One gate's letter alone says nothing, as ``c`` in ``a, b, c, d``. Empty where a part has no name.
    """
    own = [[name for node in part for name in node.names] for part in parts]
    around = [[name for node in part for name in _names_around(node, users, recognised)] for part in parts]
    first = [[*mine, *others][:1] for mine, others in zip(own, around, strict=True)]
    levels = (first, [each[-1:] for each in own], [each[-1:] for each in around])
    whole = [[name for each in level for name in each] for level in levels if all(level)]
    telling = (level for level in whole if len({*map(gate_of_name, level)} - {None}) > 1)
    return next(telling, next(iter(whole), []))


def _names_around(part: Node, users: Mapping[int, Node], recognised: Gates) -> list[str]:
    """Return the names of the sums that a part is in, and of their activation."""
    names: list[str] = []
    node = users.get(id(part))
    for _ in range(MOST_NESTED):
        if node is None or not recognised.is_sum(node):
            break
        names += node.names
        node = users.get(id(node))
    return names + (node.names if node is not None and activation(node) is not None else [])
