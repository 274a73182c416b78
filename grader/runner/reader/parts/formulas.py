"""The formulas that a step is written with, in the names of `reference.cell`, as far as each can be read.

A name is read only where the file leaves no doubt: each gate has a letter of its own, each state its use, and nothing
stands between that changes numbers. The numbers of the class decide whether the reading is right.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from box_requests import ACTIVATIONS
from gate_words import NAMES, gate_of_name

from reader.parts.gates import TREATMENTS, Gate, is_weight, letters_in, name_of_activation
from reader.parts.part import LIMITS, is_coarse
from reader.parts.step import C, H, Step, path
from reader.tracing.traces import Trace
from reader.tracing.values import Const, Node, Seq, Value, nodes_in, reachable_nodes

SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
POWERS = {2: "square", 0.5: "sqrt"}
#: Operations that change no number, and those that only take one of several gates out of what they are in.
SAME = frozenset({"cast", "stop_gradient", "element"})
PARTS = frozenset({"item", "split", "unstack", "unpack", "reshape", "squeeze", "slice()", "numpy", "transpose"})
#: Operations on a weight after which it is another.
CHANGING = frozenset({"neg", "either", *TREATMENTS, *ACTIVATIONS})
#: Ways to the x of a step.
TAKING = frozenset({"item", "element", "unstack", "transpose", "array", "asarray", "numpy", *SAME})
#: Inputs that make a row of the weights a bias.
ONES = frozenset({"ones", "ones_like"})
LONGEST, MOST_JOINED = 200, 2


class UnreadableError(Exception):
    """A formula holds something that the definition has no name for."""


def formulas(step: Step, trace: Trace) -> dict[str, str]:
    """Return the formulas of the step, by the name of what they give.

    Those of gates are left out where they cannot be read; none is left of a step whose updates cannot.
    """
    carried = [each.after for each in step.loop.carried]
    if step.c is None or step.h is None or trace.is_doubtful:
        return {}
    c, h = (_with_numbers(state, carried) for state in (step.c, step.h))
    if not {id(c), id(h)} <= set(map(id, carried)):
        return {}
    step = replace(step, h=h, c=c)
    writer = _Writer(step, trace)
    try:
        texts = {"c_new": writer.update(c), "h_new": writer.update(h)}
    except UnreadableError:
        return {}
    for name, gate in writer.gates.items():
        with contextlib.suppress(UnreadableError):
            texts[name] = writer.gate(name, gate)
    return {name: text for name, text in texts.items() if len(text) <= LONGEST}


def _with_numbers(state: Node, carried: Iterable[Value]) -> Node:
    """Return what is carried on, made of a state and numbers: ``h = 0.9 * h`` after its formula."""
    for after in carried:
        way = path(after, state, through_states=False)
        if way and all(node.op in SIGNS and len(node.inputs()) == 1 for node in way):
            return way[0]
    return state


class _Writer:
    def __init__(self, step: Step, trace: Trace) -> None:
        self._step, self._trace = step, trace
        letters = [gate.letter for gate in step.gates]
        #: None at all where two have the same name: one of them is something else.
        self.gates = {
            NAMES[gate.letter]: gate
            for gate in step.gates
            if gate.letter is not None and letters.count(gate.letter) == 1 and not _is_torn(gate)
        }
        self._nodes = {name: self._named_node(gate) for name, gate in self.gates.items()}
        self._names = {id(node): name for name, node in self._nodes.items()}
        self._products = Counter(id(each) for gate in step.gates for each in step.recognised.products(gate.sum))

    def _named_node(self, gate: Gate) -> Node:
        """Return the value that the class calls this gate, in its activations or among what is made of it alone."""
        inside = [gate.node, *gate.activations]
        around = (node for node in self._step.region if self._step.is_made_of(node, gate))
        named = (node for node in (*inside, *around) if gate.letter in map(gate_of_name, node.names))
        return next(named, gate.node)

    def update(self, new: Node) -> str:
        return self._operation(new, self._text)

    def _text(self, value: Value) -> str:
        if not isinstance(value, Node):
            return _number(value)
        if id(value) in self._names:
            return self._names[id(value)]
        if value is self._step.c:
            return "c_new"
        if value.op == "state":
            return self._state(value)
        if self._step.recognised.is_product(value):
            return _added(self._product(value))
        return self._operation(value, self._text)

    def gate(self, name: str, gate: Gate) -> str:
        # Over the columns of several gates it gives other numbers.
        is_joined = [other.sum for other in self._step.gates].count(gate.sum) > 1
        if is_joined and any(name_of_activation(function) == "softmax" for function in gate.activations):
            raise UnreadableError
        return self._sum(self._nodes[name], name)

    def _sum(self, value: Value, gate: str) -> str:
        if not isinstance(value, Node):
            return _number(value)
        if self._step.recognised.is_product(value):
            return _added(self._product(value, gate))
        if value.op == "state":
            return self._state(value)
        if value.op == "add" and (terms := [each for each in value.args if not _is_bias(each)]):
            return _added(self._sum(each, gate) for each in terms)
        if value.op in PARTS and value.args and self._is_gate(value.args[0]):
            return self._sum(value.args[0], gate)
        return self._operation(value, lambda each: self._sum(each, gate))

    def _is_gate(self, value: Value) -> bool:
        return isinstance(value, Node) and self._step.recognised.gate(value) is not None

    def _operation(self, node: Node, write: Callable[[Value], str]) -> str:
        if len(node.args) == len("ab") and node.op in (*SIGNS, *LIMITS) and node.keywords.keys() <= {"name"}:
            first, second = map(write, node.args)
            return f"({first} {SIGNS[node.op]} {second})" if node.op in SIGNS else f"{node.op}({first}, {second})"
        if node.op == "neg" and len(node.args) == 1:
            return f"(-{write(node.args[0])})"
        if node.op in SAME and node.args:
            return write(_unchanged(node))
        if node.op == "pow" and len(node.args) == len("ab") and isinstance(node.args[1], Const):
            function = POWERS.get(node.args[1].value)
            if function is None:
                raise UnreadableError
            return f"{function}({write(node.args[0])})"
        # Another argument, such as a slope or an axis, makes it another function.
        if node.op in ACTIVATIONS and len(node.args) == 1 and node.keywords.keys() <= {"name"}:
            return f"{node.op}({write(node.args[0])})"
        raise UnreadableError

    def _product(self, product: Node, gate: str | None = None) -> Iterator[str]:
        """Yield what a layer of x, of h, or of both side by side is called."""
        weights = self._step.recognised.weights_in(product)
        letters = set(letters_in(name for made in weights for name in made.names))
        is_shared = self._products[id(product)] > 1
        is_opaque = any(made.label == "EinsumDense" and "activation" in made.keywords for made in weights)
        if (len(letters) > 1 and not is_shared) or is_opaque:
            raise UnreadableError
        owner = NAMES[letters.pop()] if letters and not is_shared else gate
        inputs = [_turned_back(each) for each in product.args if not is_weight(each)]
        if any(node.op in CHANGING for each in product.args if is_weight(each) for node in reachable_nodes([each])):
            raise UnreadableError
        if len(inputs) == 1 and isinstance(inputs[0], Node) and inputs[0].op == "concat" and inputs[0].args:
            joined = inputs[0].args[0]
            items = joined.items if isinstance(joined, Seq) else []
            inputs = [each for each in items if not (isinstance(each, Node) and each.op in ONES)]
            inputs = inputs if len(inputs) == MOST_JOINED else []
        if not inputs or owner is None:
            raise UnreadableError
        for each in inputs:
            yield f"{self._input(each)}_{owner}"

    def _input(self, value: Value) -> str:
        while isinstance(value, Node) and value.op in SAME and value.args:
            value = _unchanged(value)
        if isinstance(value, Node):
            if value.op == "state" and self._state(value) == "h":
                return "h"
            way = path(value, self._trace.x, through_states=False)
            if way is not None and all(node.op in TAKING and not is_coarse(node) for node in way):
                return "x"
        raise UnreadableError

    def _state(self, value: Node) -> str:
        carried = next((each for each in self._step.loop.carried if each.state is value), None)
        for name, new, other in (("h", self._step.h, C), ("c", self._step.c, H)):
            if carried is not None and carried.after is new and not other.fullmatch(carried.name):
                return name
        raise UnreadableError


def _number(value: Value) -> str:
    if isinstance(value, Const) and type(value.value) in (int, float):
        return repr(value.value)
    raise UnreadableError


def _is_bias(value: Value) -> bool:
    """Return whether a term is a weight: a name that could not be followed may stand for anything."""
    if isinstance(value, Const) or not is_weight(value):
        return False
    waiting = list(nodes_in([value]))
    while waiting:
        node = waiting.pop()
        if node.op in ("name", "parameter", "layer"):
            return False
        if node.op not in ("weight", "slice", "size") and node.label != "bias":
            waiting += nodes_in(node.args)
    return True


def _added(terms: Iterable[str]) -> str:
    first, *others = terms
    return f"({' + '.join([first, *others])})" if others else first


def _turned_back(value: Value) -> Value:
    """Return what stands as columns in a product with a weight before it."""
    return value.args[0] if isinstance(value, Node) and value.op == "transpose" and value.args else value


def _unchanged(node: Node) -> Value:
    """Return what one of `SAME` is applied to; raise `UnreadableError` where its numbers lose digits."""
    if is_coarse(node):
        raise UnreadableError
    return node.args[0]


def _is_torn(gate: Gate) -> bool:
    """Return whether layers and variables name different gates."""
    return None not in (gate.by_layers, gate.by_names) and gate.by_layers != gate.by_names
