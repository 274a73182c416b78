"""Finds the lines of the parts of an LSTM: gates' sums, updates of c and h, initial state, loop, stacking.

It goes by shape and by the names that the exercise and most students use. A part that is not found has no line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from reader.plan.statement_plan import Plan

MOST_PARTS, MOST_NODES = 60, 20_000
STATE = r"_?(?:(?:new|next|cur|current|prev|last|old|self)_?)*{}(?:_?(?:t|new|next|state|out|prev|old|cur|0))*_?\d*"
C = re.compile(STATE.format("(?:c|cell)"), re.IGNORECASE)
H = re.compile(STATE.format("(?:h|hidden)"), re.IGNORECASE)
LAYER = re.compile(r"fc[XH]([IFCO])")
# Zeros are right: a state that starts with them is no mistake to mark.
FILLED = frozenset({"ones", "ones_like", "fill", "full", "normal", "uniform", "rand", "randn"})
JOINING = frozenset({"stack", "transpose", "concat", "concatenate", "reshape", "permute_dimensions", "swapaxes"})


def parts(plan: Plan) -> list[dict[str, Any]]:
    """List ``part``, ``gate`` (of a sum, else None), ``first_line`` and ``last_line``, in the code the class needs."""
    found: list[dict[str, Any]] = []
    left = MOST_NODES
    for statement in plan.core_statements():
        for function in ast.walk(statement.node):
            if isinstance(function, ast.FunctionDef) and function.name not in ("__init__", "build"):
                nodes = list(ast.walk(function))
                left -= len(nodes)
                if left < 0:
                    return []
                found += _in_function(nodes)
    return found[:MOST_PARTS]


def _in_function(nodes: list[ast.AST]) -> Iterator[dict[str, Any]]:
    loops = [node for node in nodes if isinstance(node, ast.For | ast.While)]
    inside = {id(each) for loop in loops for each in ast.walk(loop)}
    for loop in loops:
        header = loop.iter if isinstance(loop, ast.For) else loop.test
        yield _part("loop", header)
    for node in nodes:
        match node:
            case ast.Assign(targets=[target], value=value):
                yield from _assigned(node, target, value, loops, id(node) in inside)
            case ast.Return(value=ast.expr() as value):
                if id(node) in inside:
                    yield _part("returned_in_loop", node)
                elif loops:
                    yield _part("returned", node)
                    if _joins(value):
                        yield _part("stacking", node)
            case ast.Call(func=ast.Attribute(attr="append")) if id(node) in inside:
                yield _part("collected", node)


def _assigned(
    node: ast.Assign, target: ast.expr, value: ast.expr, loops: list[ast.For | ast.While], in_loop: bool
) -> Iterator[dict[str, Any]]:
    letters = {
        found[1]
        for each in ast.walk(value)
        if isinstance(each, ast.Attribute) and (found := LAYER.fullmatch(each.attr))
    }
    if len(letters) == 1:
        yield _part("sum", node, letters.pop())
        return
    if letters:
        return
    names = [
        each.id if isinstance(each, ast.Name) else each.attr
        for each in ([*target.elts] if isinstance(target, ast.Tuple) else [target])
        if isinstance(each, ast.Name | ast.Attribute)
    ]
    calls = {
        getattr(each.func, "attr", getattr(each.func, "id", ""))
        for each in ast.walk(value)
        if isinstance(each, ast.Call)
    }
    has_arithmetic = any(
        isinstance(each, ast.BinOp) and isinstance(each.op, ast.Add | ast.Sub | ast.Mult) for each in ast.walk(value)
    )
    if (
        any(C.fullmatch(name) or H.fullmatch(name) for name in names)
        and not FILLED.isdisjoint(calls)
        and not has_arithmetic
    ):
        yield _part("initial_state", node)
    elif len(names) == 1 and has_arithmetic and calls <= {"tanh", "sigmoid", "multiply", "add", "relu"}:
        if C.fullmatch(names[0]):
            yield _part("update_c", node)
        elif H.fullmatch(names[0]):
            yield _part("update_h", node)
    elif loops and not in_loop and _joins(value):
        yield _part("stacking", node)


def _joins(value: ast.expr) -> bool:
    return any(
        isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in JOINING
        for each in ast.walk(value)
    )


def _part(part: str, node: ast.AST, gate: str | None = None) -> dict[str, Any]:
    first = getattr(node, "lineno", 1)
    return {"part": part, "gate": gate, "first_line": first, "last_line": getattr(node, "end_lineno", None) or first}
