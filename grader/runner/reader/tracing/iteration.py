"""The elements that a loop runs over; items, names and truth of values."""

import ast
from typing import Any

from reader.tracing.values import Class, Const, Func, Map, Node, Obj, Seq, Span, Value, add_name

MOST_UNROLLED, MOST_NESTED = 16, 3
UNKNOWN = frozenset({"name", "either", "state", "parameter", "attribute", "item"})


def labelled(value: Value, name: str) -> Value:
    add_name(value, name[:60])
    return value


def elements(over: Value, depth: int = 0) -> list[Value] | None:
    """Return all elements of something with few and known ones; None for others."""
    if isinstance(over, Map):
        return list[Value](map(Const, over.items))[:MOST_UNROLLED]
    if isinstance(over, Const) and isinstance(over.value, str) and len(over.value) <= MOST_UNROLLED:
        return list[Value](map(Const, over.value))
    if isinstance(over, Seq) and len(over.items) <= MOST_UNROLLED:
        return over.items
    if isinstance(over, Node) and over.op == "split":
        match [*over.args[1:2], *over.keywords.values()]:
            case [Const(value=int(count)), *_] if 1 < count <= MOST_UNROLLED:
                return unpacked(over, count, over.span)
    if isinstance(over, Node) and over.op in ("enumerate", "zip") and depth < MOST_NESTED:
        inner = [elements(each, depth + 1) for each in over.args[: 1 if over.op == "enumerate" else None]]
        if all(each is not None for each in inner):
            rows = list(zip(*[each for each in inner if each is not None], strict=False))
            return [Seq([Const(at), *row] if over.op == "enumerate" else list(row)) for at, row in enumerate(rows)]
    if isinstance(over, Node) and over.op == "range" and all(isinstance(each, Const) for each in over.args):
        numbers = [each.value for each in over.args if isinstance(each, Const)]
        if all(type(number) is int and abs(number) <= 8 for number in numbers) and numbers and 0 not in numbers[2:]:
            return [Const(number) for number in range(*numbers[:3])]
    return None


def element(over: Value, depth: int = 0) -> Value:
    """Return an element that stands for all of them."""
    if isinstance(over, Node) and depth < MOST_NESTED:
        if over.op == "range":
            return Node("index", (over,), over.span)
        if over.op == "enumerate" and over.args:
            return Seq([Node("index", (over,), over.span), element(over.args[0], depth + 1)], over.span)
        if over.op == "zip":
            return Seq([element(each, depth + 1) for each in over.args], over.span)
        if over.op == "reversed" and over.args:
            inner = element(over.args[0], depth + 1)
            if isinstance(inner, Seq):
                return inner
            return Node(inner.op if isinstance(inner, Node) else "element", (over,), over.span)
    return Node("element", (over,), over.span if isinstance(over, Node) else (0, 0))


def item(owner: Value, index: Value, span: Span) -> Value:
    if isinstance(index, Const):
        key = index.value
        if isinstance(owner, Map) and key in owner.items:
            return owner.items[key]
        if isinstance(owner, Seq) and type(key) is int and -len(owner.items) <= key < len(owner.items):
            return owner.items[key]
        if isinstance(owner, Node):
            return Node("item", (owner, index), span, key if isinstance(key, int) else None)
    if isinstance(owner, Seq) and len(owner.items) == 1 and isinstance(index, Node) and index.op == "index":
        return owner.items[0]  # it stands for all of them
    if isinstance(owner, Seq) and len(owner.items) > 1 and (part := known_slice(index)):
        return Seq(owner.items[part], span)
    return Node("item", (owner, index), span)


def counts_down(index: Value) -> bool:
    """Return whether an index falls from step to step, as ``n - 1 - t`` and ``-t`` do, be it one of several."""
    return any(_direction(each) < 0 for each in (index.items if isinstance(index, Seq) else [index]))


def _direction(index: Value) -> int:
    match index:
        case Node(op="index" | "state"):
            return 1
        case Node(op="neg", args=(inner,)):
            return -_direction(inner)
        case Node(op="add" | "sub" as op, args=(left, right)):
            return _direction(left) or (_direction(right) if op == "add" else -_direction(right))
    return 0


def known_slice(index: Value) -> slice | None:
    if not isinstance(index, Node) or index.op != "slice":
        return None
    bounds: list[Any] = [each.value if isinstance(each, Const) else ... for each in index.args]
    known = all(each is None or type(each) is int for each in bounds) and bounds[2] in (None, 1)
    return slice(*bounds) if known else None


def unpacked(value: Value, count: int, span: Span) -> list[Value]:
    """Return the parts of a value that is assigned to several targets."""
    if isinstance(value, Seq) and len(value.items) == count:
        return value.items
    if isinstance(value, Map):
        keys: list[Value] = [Const(key) for key in value.items]
        if len(keys) == count:
            return keys
    if isinstance(value, Node) and value.op == "attribute" and value.label == "shape":
        return [Node("size", (value,), span, number) for number in range(count)]
    # A call may have arguments on lines of its own.
    where = value.span if isinstance(value, Node) else span
    return [Node("item", (value, Const(number)), where, number) for number in range(count)]


def truth(value: Value) -> bool | None:
    if isinstance(value, Const):
        return bool(value.value)
    if isinstance(value, Func | Class | Obj):
        return True
    return None


def compare(left: Value, operator: ast.cmpop, right: Value) -> bool | None:
    """Return the result of a comparison; None where it is not known."""
    is_none = isinstance(right, Const) and right.value is None
    if isinstance(operator, ast.Is | ast.IsNot | ast.Eq | ast.NotEq) and is_none:
        if isinstance(left, Const):
            same = left.value is None
        elif not isinstance(left, Node) or left.op not in UNKNOWN:
            same = False
        else:
            return None
        return same is isinstance(operator, ast.Is | ast.Eq)
    if isinstance(left, Const) and isinstance(right, Const) and isinstance(operator, ast.Eq | ast.NotEq | ast.Is):
        return (left.value == right.value) is not isinstance(operator, ast.NotEq)
    if isinstance(left, Const) and isinstance(operator, ast.In | ast.NotIn):
        within: Any = right.items if isinstance(right, Map) else right.value if isinstance(right, Const) else None
        if isinstance(right, Seq) and all(isinstance(each, Const) for each in right.items):
            within = [each.value for each in right.items if isinstance(each, Const)]
        if isinstance(within, dict | list) or (isinstance(within, str) and isinstance(left.value, str)):
            return (left.value in within) is isinstance(operator, ast.In)
    return None
