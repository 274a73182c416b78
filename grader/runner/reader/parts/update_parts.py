"""The updates of c and of h, and whether they have the form they should have."""

from collections.abc import Iterator

from reader.parts.gates import Gate, activation
from reader.parts.part import Part, operation
from reader.parts.step import ARITHMETIC, C, Step, path
from reader.tracing.values import Node

#: What a normalisation by hand computes first.
STATISTICS = frozenset({"moments", "reduce_mean", "mean", "reduce_std", "reduce_variance", "std", "var"})


def update_parts(step: Step) -> Iterator[Part]:
    if step.c is not None and step.gates:
        yield from _lines("update_c", list(_form_of_c(step.c, step)), step.terms_of_c())
    if step.h is not None and step.gates:
        yield from _lines("update_h", list(_form_of_h(step.h, step)), step.terms_of_h())


def _lines(part: str, form: list[str], terms: list[Node]) -> Iterator[Part]:
    """Yield the lines of an update. Gates stand in its products, so swapped gates show there."""
    computed = (node for node in terms if node.op in ARITHMETIC | STATISTICS or activation(node) is not None)
    for span in sorted({node.span for node in computed if node.span != (0, 0)}):
        here = sorted({operation(node) for node in terms if node.span == span or span[0] <= node.span[0] <= span[1]})
        yield Part.at(part, span, *(word for word in form if word != "swapped" or "mul" in here), *here)


def _gate(node: object, step: Step) -> Gate | None:
    return next((gate for gate in step.gates if gate.node is node), None)


def _form_of_c(node: Node, step: Step) -> Iterator[str]:
    """Say whether c is ``f * c + i * g``, and whether the gates are those that their names say."""
    terms = [each for each in node.args if isinstance(each, Node)]
    if node.op != "add" or [each.op for each in terms] != ["mul", "mul"]:
        yield "odd"
        return
    sides = [[_gate(each, step) for each in term.args] for term in terms]
    old = [term for term, gates in zip(terms, sides, strict=True) if None in gates]
    new = [gates for gates in sides if None not in gates]
    # An h, or what is left of an earlier step.
    of_h = [
        each.state
        for each in step.loop.carried
        if (each.after is step.h and not C.fullmatch(each.name)) or getattr(each.after, "op", None) == "state"
    ]
    states = (each for term in old for each in term.args if isinstance(each, Node) and each.op == "state")
    has_state = any(each not in of_h for each in states)
    if len(old) != 1 or len(new) != 1 or not has_state:
        yield "odd"
        return
    forgets = [gate for each in old[0].args if (gate := _gate(each, step)) is not None]
    names = {gate.by_names or gate.by_layers for gate in forgets}
    pair = {gate.by_names or gate.by_layers for gate in new[0] if gate is not None}
    if not forgets:
        yield "odd"
    elif None in names | pair:
        yield "unnamed"
    else:
        yield "usual" if names == {"F"} and pair == {"I", "C"} else "swapped"


def _form_of_h(node: Node, step: Step) -> Iterator[str]:
    """Say whether h is ``o * tanh(c)``."""
    gates = [gate for each in node.args if (gate := _gate(each, step)) is not None]
    way = path(node, step.c) if step.c is not None else None
    if node.op != "mul" or len(gates) != 1 or way is None or [each.op for each in way[1:]] != ["tanh"]:
        yield "odd"
        return
    name = gates[0].by_names or gates[0].by_layers
    yield "unnamed" if name is None else "usual" if name == "O" else "swapped"
