"""One part of the layer: its lines, and words that describe it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reader.tracing.values import Const, Node, Seq, Span, Value, nodes_in

LONGEST, MOST = 30, 8
#: Limits of a range, where one of the two is a number; the larger of two values is none.
LIMITS = frozenset({"maximum", "minimum"})
#: Types that numbers lose digits in.
SHORT = re.compile(r"half|b?float16")
COARSE = re.compile(rf"int\d*|bool|{SHORT.pattern}")
#: Ways of turning a list or an array around.
TURNING = frozenset({"reverse", "flip", "reversed", "flipud", "reverse_sequence", "inserted"})


@dataclass(frozen=True)
class Part:
    """Lines of a part.

    Attributes:
        gate: the letter of the gate, for a part that each gate has.
        what: words that describe it: its operations, or its oddities. `grader/diagnosis/concerns.py` reads them.
    """

    part: str
    first_line: int
    last_line: int
    what: tuple[str, ...] = ()
    gate: str | None = None

    @classmethod
    def at(cls, part: str, span: Span, *what: str, gate: str | None = None) -> Part:
        return cls(part, span[0], max(span), tuple(dict.fromkeys(word[:LONGEST] for word in what))[:MOST], gate)


def operations(part: str, nodes: Iterable[Node]) -> Iterator[Part]:
    """Yield a part for each operation."""
    for node in nodes:
        yield Part.at(part, node.span, *words(node))


def words(node: Node) -> list[str]:
    """Describe an operation, in the words of `Part.what`."""
    parts = [operation(node)]
    if node.op in TURNING or any(turns(each) for each in node.args if isinstance(each, Node | Seq)):
        parts.append("reversed")
    if _has_number(node):
        parts.append("number")
    return parts


def operation(node: Node) -> str:
    return "either" if node.op in LIMITS and not _has_number(node) else node.op


def _has_number(node: Node) -> bool:
    return any(isinstance(each, Const) and isinstance(each.value, int | float) for each in node.args)


def is_coarse(node: Node, types: re.Pattern[str] = COARSE) -> bool:
    """Return whether it is a cast to one of these types, that numbers lose digits in."""
    kinds = [*node.args[1:], *node.keywords.values()] if node.op == "cast" else []
    names = (kind.label if isinstance(kind, Node) else getattr(kind, "value", None) for kind in kinds)
    return any(types.search(str(name)) for name in names)


def key_of(value: Value | None, depth: int = 6) -> object:
    """Return what is equal for a value and itself, and for the same item or slice of one."""
    match value:
        case Const():
            return value.value
        case Node(op="item" | "slice" | "mul", args=parts) | Seq(items=parts) if depth:
            return [value.op if isinstance(value, Node) else "", *(key_of(each, depth - 1) for each in parts)]
    return id(value)


def turns(index: Value) -> bool:
    """Return whether an index such as ``[:, ::-1]`` turns an axis around."""
    parts = index.items if isinstance(index, Seq) else [index]
    return any(
        isinstance(part, Node) and part.op == "slice" and isinstance(part.args[2], Const) and part.args[2].value == -1
        for part in parts
    )


def has_turning(value: Value) -> bool:
    """Return whether something is turned around; not whether its length is that of something that was."""
    waiting, seen = list(nodes_in([value])), set[int]()
    while waiting:
        node = waiting.pop()
        if node.op in TURNING or (node.op == "slice" and turns(node)):
            return True
        if id(node) not in seen and node.op not in ("attribute", "shape", "size", "len"):
            seen.add(id(node))
            waiting += node.inputs()
    return False
