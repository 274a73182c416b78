"""One step of the loop: the updates of c and h, their gates, and anything else that is done to a value."""

import re
from collections import deque
from dataclasses import dataclass, field

from gate_words import NAMES

from reader.parts.gates import Gate, Gates, activation, letters_in, only_gate
from reader.parts.part import LIMITS
from reader.tracing.traces import Loop
from reader.tracing.values import Const, Node, Value, nodes_in, reachable_nodes

STATE = r"_?(?:(?:new|next|cur|current|prev|last|old|self)_?)*{}(?:_?(?:t|new|next|state|out|prev|old|cur|0))*_?\d*"
C = re.compile(STATE.format("(?:c|cell)"), re.IGNORECASE)
H = re.compile(STATE.format("(?:h|hidden)"), re.IGNORECASE)
MOST_SEEN, MOST_GATES = 2000, 8
ARITHMETIC = frozenset({"add", "sub", "mul", "div", "matmul", "pow", *LIMITS})


@dataclass(eq=False)
class Step:
    """One step of the loop; `c` and `h` are the new states where they were found."""

    loop: Loop
    gates: list[Gate]
    region: list[Node]
    c: Node | None = None
    h: Node | None = None
    recognised: Gates = field(default_factory=Gates)

    def terms_of_c(self) -> list[Node]:
        return self.inside(self.c) if self.c is not None else []

    def terms_of_h(self) -> list[Node]:
        if self.h is None:
            return []
        below = {id(node) for node in self.terms_of_c()}
        return [node for node in self.inside(self.h) if id(node) not in below]

    def inside(self, root: Node) -> list[Node]:
        """Return the operations from a node down to gates and states."""
        known = {id(node) for node in self.region}
        return [node for node in _walk(root, self.recognised)[1] if id(node) in known]

    def is_made_of(self, node: Node, gate: Gate) -> bool:
        """Return whether a value is made of a gate and numbers alone."""
        gates, inside = _walk(node, self.recognised)
        has_state = any(each.op == "state" for inner in inside for each in inner.inputs())
        return not has_state and [each.node for each in gates] == [gate.node]

    def is_one_gate(self, node: Node) -> bool:
        """Return whether a value is a gate, or made of one and numbers alone: ``0.5 * (tanh(z) + 1)``."""
        gates = _walk(node, self.recognised)[0]
        return self.recognised.gate(node) is not None or (len(gates) == 1 and self.is_made_of(node, gates[0]))


def step_of(loop: Loop) -> Step | None:
    """Return the step of a loop that computes gates; None for other loops."""
    recognised = Gates()
    roots = [carried.after for carried in loop.carried] + [each.value for each in loop.collected]
    gates: dict[int, Gate] = {}
    region: dict[int, Node] = {}
    if len(reachable_nodes(roots)) > MOST_SEEN:
        return None
    for root in nodes_in(roots):
        found, inside = _walk(root, recognised)
        gates |= {id(gate.node): gate for gate in found}
        region |= {id(node): node for node in inside}
    if not gates:
        return None
    step = Step(loop, _own_letters(list(gates.values()), recognised), list(region.values()), recognised=recognised)
    for gate in step.gates if len(step.gates) <= MOST_GATES else ():
        if gate.letter is None:
            gate.by_names = _letter_around(gate, step)
    # The one gate without a name gets the letter that is left.
    left = NAMES.keys() - {gate.letter for gate in step.gates}
    for gate in step.gates if len(step.gates) == len(NAMES) and len(left) == 1 else ():
        gate.by_names = gate.by_names if gate.letter else min(left)
    _find_states(step)
    return step


def _own_letters(gates: list[Gate], recognised: Gates) -> list[Gate]:
    """Take the letters of layers from gates that share their layers: they are one product in parts."""
    all_products = [frozenset(id(each) for each in recognised.products(gate.sum)) for gate in gates]
    for gate, products in zip(gates, all_products, strict=True):
        if all_products.count(products) > 2:
            gate.by_layers = None
    return gates


def _letter_around(gate: Gate, step: Step) -> str | None:
    """Return the letter of what is made of a gate alone: ``i`` in ``i = 0.5 * sigmoid(z)``."""
    around = (node for node in step.region if step.is_made_of(node, gate))
    return only_gate(letters_in(name for node in around for name in node.names))


def _walk(root: Node, recognised: Gates) -> tuple[list[Gate], list[Node]]:
    """Return the gates below a node, and the operations above them."""
    gates: list[Gate] = []
    region: dict[int, Node] = {}
    waiting = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        gate = recognised.gate(node)
        if gate is not None:
            gates.append(gate)
            waiting += _states_below(gate, recognised)
        elif node.op not in ("state", "x", "layer", "weight", "name", "parameter", "index"):
            region[id(node)] = node
            waiting += node.inputs()
    return gates, list(region.values())


def _states_below(gate: Gate, recognised: Gates) -> list[Node]:
    """Return new states that a gate sees: they lie below its products."""
    return [
        each
        for product in recognised.products(gate.sum)
        for each in product.inputs()
        if (each.op in ARITHMETIC or activation(each) is not None)
        and any(below.op == "state" for below in reachable_nodes([each]))
    ]


def _find_states(step: Step) -> None:
    outputs = [found for node in step.region if (found := _output(node, step))]
    inner = {id(node) for outer, _ in outputs for node in reachable_nodes([outer]) if node is not outer}
    outermost = [output for output in outputs if id(output[0]) not in inner]
    if len(outermost) == 1:
        step.h, step.c = outermost[0]
    else:
        step.h, step.c = _by_name(step, H), _by_name(step, C)
        if step.h is not None and step.c is None:
            within = peeled(step.h)
            step.c = None if within is step.h else within
    if step.c is not None and step.c.op == "state":
        after = next((each.after for each in step.loop.carried if each.state is step.c), None)
        step.c = peeled(after) if isinstance(after, Node) else None


def _output(node: Node, step: Step) -> tuple[Node, Node] | None:
    """Return a product of a gate and a function of something that has gates in it, and that something."""
    sides = [each for each in node.args if isinstance(each, Node)]
    if node.op not in ("mul", "matmul") or len(sides) != 2:
        return None
    for gate, other in (sides, sides[::-1]):
        if not step.is_one_gate(gate) or step.is_one_gate(other):
            continue
        inner = peeled(other)
        if inner.op in ARITHMETIC and _walk(inner, step.recognised)[0]:
            return node, inner
        if inner.op == "state" and activation(other) is not None and any(H.fullmatch(name) for name in node.names):
            return node, inner
    return None


def peeled(node: Node) -> Node:
    """Return what functions of one value are applied to."""
    for _ in range(16):
        if node.op == "div" and (by_hand := activation(node)) is not None:
            node = by_hand
            continue
        inner = [each for each in nodes_in(node.args) if each.op not in ("name", "size", "slice", "shape")]
        if node.op == "state" or len(inner) != 1 or (node.op in ARITHMETIC and not _with_number(node)):
            return node
        node = inner[0]
    return node


def _with_number(node: Node) -> bool:
    return any(isinstance(each, Const) for each in node.args)


def _by_name(step: Step, names: re.Pattern[str]) -> Node | None:
    same_names = (node for node in step.region if any(map(names.fullmatch, node.names)))
    candidates = [node for node in same_names if node.op in ARITHMETIC or activation(node) is not None]
    return candidates[0] if len(candidates) == 1 else None


def path(outer: Value, inner: Node, *, through_states: bool = True) -> list[Node] | None:
    """Return the operations on the shortest way from `outer` to `inner`, `outer` first and `inner` left out.

    None where `inner` is not part of it.
    """
    parents: dict[int, Node | None] = {}
    waiting: deque[tuple[Node, Node | None]] = deque((node, None) for node in nodes_in([outer]))
    while waiting:
        node, parent = waiting.popleft()
        if id(node) in parents:
            continue
        parents[id(node)] = parent
        if node is inner:
            way: list[Node] = []
            while parent is not None:
                way.append(parent)
                parent = parents[id(parent)]
            return way[::-1]
        if len(parents) > MOST_SEEN:
            return None
        if through_states or node.op != "state":
            waiting += [(each, node) for each in node.inputs()]
    return None
