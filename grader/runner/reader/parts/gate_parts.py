"""The sums, activations and weights of gates, with anything odd about them; the input of a step."""

from collections.abc import Iterable, Iterator

from box_requests import ACTIVATIONS

from reader.parts.gates import TREATMENTS, Gate, is_weight, letters_in, name_of_activation
from reader.parts.part import Part, is_coarse, key_of, words
from reader.parts.state_parts import role_of
from reader.parts.step import ARITHMETIC, Step, path, peeled
from reader.tracing.traces import Trace
from reader.tracing.values import Const, Node, Seq, Value, nodes_in, reachable_nodes

MOST_JOINED = 8
#: Ways to the input of a step that leave its numbers alone.
USUAL = frozenset({"item", "element", "unstack", "transpose", "concat", "squeeze", "cast", "split", "either", "rows"})


def gate_parts(step: Step, trace: Trace) -> Iterator[Part]:
    for gate in step.gates:
        letter, odd = gate.letter, list(_oddities(gate, step, trace))
        if gate.by_layers and gate.by_names and gate.by_layers != gate.by_names:
            odd.append(("other_name", gate.sum))
        yield Part.at("sum", gate.sum.span, gate=letter)
        for word, node in odd:
            yield Part.at("sum", node.span, word, gate=letter)
        acts = [name_of_activation(each) for each in gate.activations]
        where = gate.activations[0] if gate.activations else gate.sum
        twice = ["twice"] if len(acts) > 1 else []
        yield Part.at("activation", where.span, *(acts or ["none"]), *twice, gate=letter)
        yield from (Part.at("sum", each.span, each.op) for each in _way_in(gate) if each.op in ("split", "reshape"))
        for product in step.recognised.products(gate.sum):
            of = "of_h" if any(node.op == "state" for node in _inputs_of([product])) else "of_x"
            for made in step.recognised.weights_in(product):
                yield Part.at("weights", made.span, *_of_weights(made), of, gate=letter)
                units = made.args[0] if made.args else made.keywords.get("units")
                if made.op == "layer" and isinstance(units, Const) and type(units.value) is int and units.value > 1:
                    yield Part.at("line", units.span, "fixed_units")
    for gate in step.gates:
        for product in step.recognised.products(gate.sum):
            yield from _input_of(product, trace)


def _inputs_of(products: Iterable[Node]) -> list[Node]:
    """Return the nodes that the inputs of products are made of."""
    return reachable_nodes([value for product in products for value in product.args if not is_weight(value)])


def _way_in(gate: Gate) -> list[Node]:
    """Return the nodes from a gate down through activations and parts."""
    found, node = [gate.node], gate.node
    while len(found) < 12 and (inner := next(iter(node.inputs()), None)) is not None:
        node = inner
        found.append(node)
        if node.op in ARITHMETIC or node.op == "apply":
            break
    return found


def _oddities(gate: Gate, step: Step, trace: Trace) -> Iterator[tuple[str, Node]]:
    """Yield the oddities of a sum, each with the operation that makes it odd."""
    recognised = step.recognised
    terms = _terms(gate.sum, step)
    products = recognised.products(gate.sum)
    for term in terms:
        sums = list(filter(recognised.is_sum, term.inputs()))
        if term.op in ("mul", "div") and len(sums) > 1:
            yield "product", term
        if term.op == "sub":
            yield "sub", term
        if term.op in ("add", "sub", "mul", "div") and any(isinstance(each, Const) for each in term.args):
            yield "number" if term.op in ("add", "sub") else "factor", term
        if term.op not in ARITHMETIC and not recognised.is_sum(term) and term.op in ACTIVATIONS:
            yield "inner", term
    yield from ((node.op, node) for node in _way_in(gate) if node.op in TREATMENTS)
    yield from _biases(products, terms, step, trace.x)
    of_c = {id(each.state) for each in step.loop.carried if role_of(each.after, step) == "c"}
    seeing = 0
    for product in products:
        inputs = [value for value in _joined(product.args) if isinstance(value, Node) and not is_weight(value)]
        if any(value is step.c or id(value) in of_c for value in inputs):
            seeing += 1
            yield "sees_c", product
        if any(value.op in ARITHMETIC or peeled(value) in (step.c, step.h) for value in inputs):
            yield "new_state", product
        if any(recognised.gate(value) is not None for value in inputs):
            yield "hears_gate", product
    if (seeing and len(products) > 2) or any(
        _touches_c(term, step, of_c) for term in terms if not recognised.is_sum(term)
    ):
        yield "peephole", gate.sum
    below = _inputs_of(products)
    if not any(node is trace.x for node in below):
        yield "no_x", gate.node
    if not any(node.op == "state" for node in below):
        yield "no_h", gate.node
    if gate.activations and [key_of(_argument(other)) for other in step.gates].count(key_of(_argument(gate))) > 1:
        yield "shared", gate.activations[0]
    if len({letter for made in recognised.weights_in(gate.sum) for letter in letters_in(made.names)[:1]}) > 1:
        yield "mixed", gate.sum


def _biases(products: list[Node], terms: list[Node], step: Step, x: Node) -> Iterator[tuple[str, Node]]:
    """Yield biases beyond the one there should be; of products without layers, the lack of one."""
    added = [term for term in terms if term.op == "add" and any(_is_bias(each, step) for each in term.args)]
    has_layers = any(product.op == "apply" for product in products)
    for term in added if has_layers else added[1:]:
        yield "bias", term
    if not has_layers and not added:
        for product in products:
            if any(node is x for node in _inputs_of([product])):
                yield "no_bias_added", product


def _is_bias(value: Value, step: Step) -> bool:
    return isinstance(value, Node) and is_weight(value) and not step.recognised.is_sum(value)


def _argument(gate: Gate) -> Value | None:
    return gate.activations[-1].args[0] if gate.activations else None


def _terms(node: Node, step: Step) -> list[Node]:
    """Return a sum's own nodes, products not opened."""
    terms: list[Node] = []
    waiting = [node]
    while waiting and len(terms) < 64:
        each = waiting.pop()
        terms.append(each)
        if not step.recognised.is_product(each) and (step.recognised.is_sum(each) or each.op in ARITHMETIC):
            waiting += each.inputs()
    return terms


def _touches_c(term: Node, step: Step, of_c: set[int]) -> bool:
    return any(node is step.c or id(node) in of_c for node in nodes_in([term, *term.args]))


def _of_weights(made: Node) -> list[str]:
    words = [str(made.label).lower()] if made.label else []
    bias = made.keywords.get("use_bias")
    if isinstance(bias, Const) and bias.value is False:
        words.append("no_bias")
    function = made.keywords.get("activation")
    if function is not None and not (isinstance(function, Const) and function.value in (None, "linear")):
        words.append("activation")
    return words


def _input_of(product: Node, trace: Trace) -> Iterator[Part]:
    """Yield the operations on x on its way into a product, and how a step is taken from it."""
    for value in _joined(product.args):
        if is_weight(value) or any(node.op == "state" for node in reachable_nodes([_without_index(value)])):
            continue
        way = path(value, trace.x, through_states=False)
        for node in way or ():
            if node.op == "item":
                yield Part.at("step_input", node.span, *(list(_words_of_step(node)) or ["usual"]))
            elif node.op not in USUAL or "reversed" in words(node) or is_coarse(node):
                yield Part.at("step_input", node.span, *words(node))
                yield from _fixed_features(node)
        if way is None:
            yield Part.at("step_input", value.span if isinstance(value, Node | Seq) else (0, 0), "not_x")


def _without_index(value: Value) -> Value:
    """Return what an item is taken of: a loop with `while` carries its index from step to step, as it does states."""
    while isinstance(value, Node) and value.op == "item":
        value = value.args[0]
    return value


def _joined(values: Iterable[Value]) -> Iterator[Value]:
    """Yield values; those that were put side by side one by one."""
    for value in values:
        joined = value.args[0] if isinstance(value, Node) and value.op == "concat" and value.args else None
        for each in joined.items[:MOST_JOINED] if isinstance(joined, Seq) else [value]:
            # Both sides of ``... if ... else ...``.
            yield from each.args[:2] if isinstance(each, Node) and each.op == "either" else [each]


def _fixed_features(node: Node) -> Iterator[Part]:
    sizes = node.args[1] if node.op == "reshape" and len(node.args) > 1 else None
    last = sizes.items[-1] if isinstance(sizes, Seq) and sizes.items else None
    if isinstance(last, Const) and type(last.value) is int and last.value > 1:
        yield Part.at("line", last.span, "fixed_features")


def _words_of_step(node: Node) -> Iterator[str]:
    """Say which step an item of x is."""
    index = node.args[1]
    for part in index.items if isinstance(index, Seq) else [index]:
        if isinstance(part, Const) and type(part.value) is int:
            yield "fixed_step"
        elif isinstance(part, Node) and part.op == "slice":
            if "reversed" in words(Node("item", (part,))):
                yield "reversed"
            elif any(not (isinstance(each, Const) and each.value is None) for each in part.args):
                yield "cut"
        elif isinstance(part, Node) and part.op not in ("index", "state", "ellipsis", "element"):
            yield "other_step"
            taken = [node.args[-1] for node in reachable_nodes([part]) if node.op in ("neg", "sub")]
            if any(isinstance(each, Node) and each.op in ("index", "state") for each in taken):
                yield "reversed"  # a larger index of the loop gives an earlier step
