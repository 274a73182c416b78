"""Finds the order of x and h in a joined input, by their names."""

import ast
import re

from scopes import last_name

from reader.plan.statement_plan import Plan
from reader.plan.superseded import effective_statements

# Calls that put two arrays side by side.
JOINING = frozenset({"concat", "concatenate", "hstack"})
# Names of the hidden state.
HIDDEN = re.compile(
    r"_?(?:(?:prev|last|old|new|cur)\w*_)?(?:h|hs|hx|ht|hid|hidden|state)(?:_?(?:t|prev|old|last|state|tm1|t_1|\d))*_?",
    re.IGNORECASE,
)


def joined_order(plan: Plan) -> str | None:
    """Return ``xh`` for ``tf.concat([x, h], 1)`` and ``hx`` for the other order; None where names do not say."""
    orders = {
        order
        for statement in effective_statements(plan)
        for node in ast.walk(statement.node)
        if isinstance(node, ast.Call) and _joins(node.func) and (order := _order(node))
    }
    return orders.pop() if len(orders) == 1 else None


def _joins(function: ast.expr) -> bool:
    if isinstance(function, ast.Call):  # a layer, made where it is called
        function = function.func
    return (last_name(function) or "").lower() in JOINING


def _order(call: ast.Call) -> str | None:
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        if isinstance(argument, ast.List | ast.Tuple) and len(argument.elts) == 2:
            are_h = [HIDDEN.fullmatch(_root(element)) is not None for element in argument.elts]
            if any(are_h) and not all(are_h):
                return "hx" if are_h[0] else "xh"
    return None


def _root(node: ast.expr) -> str:
    """Return the name that a value is taken from: ``x`` of ``x[:, t]``."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return last_name(node) or ""
