"""The gates of a step: sums of products with weights, the activations around them, and which gate each is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from box_requests import ACTIVATIONS
from gate_words import gate_of_name

from reader.parts.part import LIMITS
from reader.tracing.values import Const, Node, Seq, Value, nodes_in

#: Operations that give a gate other numbers.
TREATMENTS = frozenset(
    {
        *("dropout", "clip_by_value", "clip", "round", "batch_norm", "layernormalization"),
        *("batchnormalization", "layer_norm"),
    }
)
#: Operations through which a product stays what it is.
THROUGH = frozenset(
    {
        *("item", "split", "unstack", "reshape", "cast", "concat", "neg", "transpose", "squeeze"),
        *("element", "stack", *TREATMENTS, "either", "unpack", "attribute", "expand_dims", "numpy"),
        *("stop_gradient", "slice()"),
    }
)
MOST_SEEN = 500
WEIGHTS = frozenset({"weight", "layer", "name", "parameter"})


@dataclass(eq=False)
class Gate:
    """A gate: its activations from outside in, the sum in them, and its letters by layers and by variables."""

    node: Node
    activations: list[Node]
    sum: Node
    by_layers: str | None
    by_names: str | None

    @property
    def letter(self) -> str | None:
        return self.by_layers or self.by_names


def is_weight(value: Value) -> bool:
    """Return whether a value is made of weights and numbers alone."""
    waiting, seen = list(nodes_in([value])), set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or node.op in WEIGHTS or node.op in ("slice", "size", "number", "shape"):
            continue
        if node.op not in THROUGH or len(seen) > MOST_SEEN:
            return False
        seen.add(id(node))
        # The others are sizes and places.
        waiting += nodes_in(node.args if node.op == "either" else node.args[:1])
    return isinstance(value, Const | Node | Seq)


class Gates:
    """Recognises gates; keeps what it found about a node."""

    def __init__(self) -> None:
        self._sums: dict[int, bool] = {}
        self._products: dict[int, list[Node]] = {}

    def is_product(self, node: Node) -> bool:
        return node.op == "apply" or (
            node.op == "matmul" and any(is_weight(each) and not isinstance(each, Const) for each in node.args)
        )

    def is_sum(self, node: Node) -> bool:
        if id(node) not in self._sums:
            self._sums[id(node)] = False  # for a value that contains itself
            self._sums[id(node)] = self._is_sum(node)
        return self._sums[id(node)]

    def _is_sum(self, node: Node) -> bool:
        nodes = [each for each in node.args if isinstance(each, Node)]
        sums = [each for each in nodes if self.is_sum(each)]
        if self.is_product(node):
            return True
        if node.op in ("add", "sub"):
            inner = [each for each in nodes if self._is_activated_product(each)]
            rest = [each for each in nodes if each not in sums and each not in inner]
            if len(inner) > 1 and not rest:
                return True
            # No activated product is among the rest.
            return bool(sums) and all(
                is_weight(each) or each.op in ("state", "x") or (each.op == "mul" and self._has_weight(each))
                for each in rest
            )
        if node.op in ("mul", "div", *LIMITS):
            inner = [each for each in nodes if self._is_activated_product(each)]
            both = len(sums) == len(nodes) > 0 or (bool(sums) and all(is_weight(e) for e in nodes if e not in sums))
            return both and not inner
        if node.op in THROUGH:
            return any(self.is_sum(each) for each in node.inputs())
        return False

    def _has_weight(self, node: Node) -> bool:
        return any(isinstance(each, Node) and is_weight(each) for each in node.args)

    def _is_activated_product(self, node: Node) -> bool:
        return node.op in ACTIVATIONS and any(isinstance(each, Node) and self.is_product(each) for each in node.args)

    def gate(self, node: Node) -> Gate | None:
        """Return the gate that a node is, if it is one."""
        activations: list[Node] = []
        names, inner = list(node.names), node
        for _ in range(12):
            if self.is_sum(inner):
                break
            within = activation(inner)
            if within is not None:
                activations.append(inner)
            elif inner.op in THROUGH:
                within = next(iter(inner.inputs()), None)
            if within is None:
                return None
            inner = within
            names += inner.names
        else:
            return None
        letters = letters_in(names)
        # A sum without a name: ``f`` in ``sigmoid(f + 1.0)``.
        summed = letters_in(name for each in inner.inputs() if self.is_sum(each) for name in each.names)
        # A value that is named after two gates belongs to neither.
        by_names = None if len(set(letters_in(node.names))) > 1 else only_gate(letters[:1] or summed)
        by_layers = only_gate(letters_in(name for made in self.weights_in(inner) for name in made.names))
        return Gate(node, activations, self._enclosing_sum(inner), by_layers, by_names)

    def _enclosing_sum(self, node: Node) -> Node:
        """Return the sum of which a node is a part."""
        while node.op in THROUGH and (inner := next((each for each in node.inputs() if self.is_sum(each)), None)):
            node = inner
        return node

    def products(self, node: Node) -> list[Node]:
        """Return the products of a sum."""
        if id(node) not in self._products:
            self._products[id(node)] = self._products_of(node)
        return self._products[id(node)]

    def _products_of(self, node: Node) -> list[Node]:
        products: list[Node] = []
        waiting, seen = [node], set[int]()
        while waiting:
            each = waiting.pop(0)
            if id(each) in seen or len(seen) > MOST_SEEN:
                continue
            seen.add(id(each))
            if self.is_product(each):
                products.append(each)
            elif self.is_sum(each) or self._is_activated_product(each):
                waiting = [*each.inputs(), *waiting]
        return products

    def weights_in(self, node: Node) -> list[Node]:
        layers = (_layer(value) for product in self.products(node) for value in product.args)
        return [layer for layer in layers if layer is not None]


def _layer(value: Value) -> Node | None:
    while isinstance(value, Node) and value.op in ("item", "transpose", "cast") and value.args and not value.names:
        value = value.args[0]
    return value if isinstance(value, Node) and is_weight(value) else None


def letters_in(names: Iterable[str]) -> list[str]:
    """Return the letters of the gates that names say."""
    return [letter for name in names if (letter := gate_of_name(name))]


def only_gate(found: list[str]) -> str | None:
    return found[0] if len(set(found)) == 1 else None


def activation(node: Node) -> Node | None:
    """Return the argument of an activation; one written by hand, with exponentials of one value, is one too."""
    if node.op in ACTIVATIONS and node.args and isinstance(node.args[0], Node):
        return node.args[0]
    match node:
        case Node(op="pow", args=(Node() as inner, Const())):
            return inner
        case Node(op="div") | Node(op="mul", args=(Const(), _) | (_, Const())):
            exponents = list(_exponents(node))
            is_one = len({id(each) for each in exponents}) == 1 and (node.op == "div" or len(exponents) > 1)
            return exponents[0] if is_one else None
    return None


def _exponents(value: Value) -> Iterator[Node | None]:
    """Yield what the exponentials in a formula are taken of, apart from signs and factors; None for anything else."""
    match value:
        case Const():
            pass
        case Node(op="exp", args=(Node(op="neg", args=(Node() as inner, *_)), *_)):
            yield inner
        case Node(op="exp", args=(Node(op="mul", args=(Const(), Node() as inner) | (Node() as inner, Const())), *_)):
            yield inner
        case Node(op="exp", args=(Node() as inner, *_)):
            yield inner
        case Node(op="add" | "sub" | "mul" | "div" | "neg", args=parts):
            for each in parts:
                yield from _exponents(each)
        case _:
            yield None


def name_of_activation(node: Node) -> str:
    """Return the name of an activation; ``exp`` for one that is written by hand and is no sigmoid."""
    if node.op in ACTIVATIONS or node.op == "pow":
        return node.op
    exponents = [each.args[0] for each in nodes_in(node.args[1:]) for each in each.inputs() if each.op == "exp"]
    is_turned = any(isinstance(each, Node) and each.op == "neg" for each in exponents)
    return "sigmoid" if is_turned and isinstance(node.args[0], Const) else "exp"
