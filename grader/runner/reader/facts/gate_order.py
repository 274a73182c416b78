"""Finds orders in the source: of the four parts of a fused product, and of x and h in a joined input."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from scopes import last_name, root_name

from reader.plan.statement_plan import Plan
from reader.plan.superseded import effective_statements

Function = ast.FunctionDef | ast.AsyncFunctionDef

MAX_SPLITS = 50
OPAQUE = re.compile(r"[A-Za-z_]*\d+")
# Calls that put two arrays side by side.
JOINING = frozenset({"concat", "concatenate", "hstack"})
# Calls that put the parts of one array in another order.
REORDERING = frozenset({"gather", "reverse", "roll"})
# Names of the hidden state.
HIDDEN = re.compile(
    r"_?(?:(?:prev|last|old|new|cur)\w*_)?(?:h|hs|hx|ht|hid|hidden|state)(?:_?(?:t|prev|old|last|state|tm1|t_1|\d))*_?",
    re.IGNORECASE,
)
# Calls and attributes that give sizes, not gates.
SIZES = frozenset({"shape", "range", "int_shape", "get_shape", "as_list", "size"})
CALLED_BY_KERAS = frozenset({"build", "call"})


def unpack_names(plan: Plan) -> list[list[str]]:
    """List names of four-way splits in the class and the code it uses, each in the order of the parts.

    A function that `call` does not reach, such as one that loads weights, says nothing.
    """
    nodes = [node for statement in effective_statements(plan) for node in ast.walk(statement.node)]
    functions = [node for node in nodes if isinstance(node, Function)]
    inside = {node for function in functions for node in ast.walk(function) if node is not function}
    reached = {name for node in nodes if node not in inside and (name := _name_in(node))} | CALLED_BY_KERAS
    called = list[Function]()
    while more := [each for each in functions if each not in called and _is_called(each, reached)]:
        called += more
        reached |= {name for function in more for node in ast.walk(function) if (name := _name_in(node))}
    own = {function.name: function for function in functions}
    splits: list[list[str]] = []
    for function in (each for each in functions if each in called):
        assignments = _of_products(_assignments(function))
        activated = _activated(assignments)
        for names in [*_unpacked(assignments, _given(function), own), *_sliced(assignments)]:
            replaced = [activated.get(name, name) if OPAQUE.fullmatch(name) else name for name in names]
            if replaced not in splits and len(splits) < MAX_SPLITS:
                splits.append(replaced)
    return splits


def _assignments(function: ast.AST) -> list[ast.Assign]:
    return sorted((node for node in ast.walk(function) if isinstance(node, ast.Assign)), key=lambda node: node.lineno)


def _of_products(assignments: Iterable[ast.Assign]) -> list[ast.Assign]:
    """Leave out those that take apart what was put together from parts of one array: its order is not the weights'."""
    kept, put_together = [], set[str]()
    for node in assignments:
        if not any(isinstance(each, ast.Name) and each.id in put_together for each in ast.walk(node.value)):
            kept.append(node)
        names = {name for target in node.targets if (name := last_name(target))}
        put_together -= names
        match node.value:
            case ast.Call(func=function, args=[ast.List(elts=parts), *_]) if _joins(function):
                put_together |= names if len({_root(part) for part in parts}) == 1 else set()
            case ast.Call() as call if _reorders(call):
                put_together |= names
    return kept


def _name_in(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
            return name
    return None


def _is_called(function: Function, reached: set[str]) -> bool:
    return bool(function.decorator_list) or function.name in reached or function.name.startswith("__")


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


def _given(function: Function) -> set[str]:
    """Return the names of a function's arguments, whose parts may stand in any order."""
    return {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}


def _unpacked(assignments: Sequence[ast.Assign], given: set[str], own: Mapping[str, Function]) -> Iterable[list[str]]:
    """Yield names of ``i, f, g, o = tf.split(z, 4, axis=1)``, and of any right side that can be four parts."""
    for node in assignments:
        for target in node.targets:
            if isinstance(target, ast.Tuple | ast.List) and len(target.elts) == 4:
                names = [name for element in target.elts if (name := last_name(element))]
                places = _places(node.value, assignments, given, own)
                if len(names) == len(places) == 4:
                    yield [name for _, name in sorted(zip(places, names, strict=True))]


def _places(
    value: ast.expr, assignments: Sequence[ast.Assign], given: set[str], own: Mapping[str, Function]
) -> list[float]:
    """Return the places of four parts of one array in the order of a value; empty where it is unclear.

    Args:
        given: names of which nothing is known.
        own: the student's functions, by name.
    """
    match value:
        case ast.ListComp(elt=part) | ast.GeneratorExp(elt=part):
            has_parts = any(isinstance(node, ast.Subscript) for node in ast.walk(part))
            return _places_in_loop(value) if has_parts else []
        case ast.Call(func=ast.Name(id="reversed"), args=[parts]):
            return _places(parts, assignments, given, own)[::-1]
        case ast.Call(func=ast.Name(id="map"), args=[_, parts]):
            return _places(parts, assignments, given, own)
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)) if name in own:
            inside, others = _assignments(own[name]), {each: own[each] for each in own if each != name}
            ends = (node.value for node in ast.walk(own[name]) if isinstance(node, ast.Return) and node.value)
            returned = [_places(end, inside, _given(own[name]), others) for end in ends]
            return returned[0] if returned and all(each == returned[0] for each in returned) else []
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            inner = list(ast.walk(value))
            is_plain = not any(isinstance(node, ast.Call) and _reorders(node) for node in inner)
            # A layer or a lambda may return them in any order.
            is_known = root_name(value.func) != "self" and not _assigned(name, assignments) and name not in SIZES
            lists = [node for node in inner if isinstance(node, ast.List | ast.Tuple) and len(node.elts) == 4]
            taken = next((node for node in lists if all(map(_part, node.elts))), None)
            if is_plain and is_known:
                return _places(taken, assignments, given, own) if taken else [0, 1, 2, 3]
            return []
        case ast.Name(id=name) if assigned := _assigned(name, assignments):
            return _places(assigned[-1], [], given, own)
        case ast.Name(id=name):
            return [] if name in given else [0, 1, 2, 3]
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            found = [_part(part) or ("", _number(part)) for part in parts]
            places = [place for _, place in found if place is not None]
            return places if len({array for array, _ in found}) == 1 and len(set(places)) == len(parts) else []
    return []


def _assigned(name: str, assignments: Sequence[ast.Assign]) -> list[ast.expr]:
    """Return the values that a function gives to a name."""
    return [node.value for node in assignments if [last_name(each) for each in node.targets] == [name]]


def _reorders(call: ast.Call) -> bool:
    return last_name(call.func) in REORDERING


def _places_in_loop(value: ast.ListComp | ast.GeneratorExp) -> list[float]:
    """Return the places of four parts in the order in which a loop takes them; empty where the order is unclear."""
    match value.generators[0].iter:
        case ast.Tuple(elts=items) | ast.List(elts=items):
            places = [place for item in items if (place := _number(item)) is not None]
            return places if len(places) == len(items) else []
        case (
            ast.Call(func=ast.Name(id="range"), args=[_])
            | ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=0), *_])
        ):
            return [0, 1, 2, 3]
    return []


def _sliced(assignments: Iterable[ast.Assign]) -> Iterable[list[str]]:
    """Yield names of ``i = tf.sigmoid(z[:, :n])`` and its three siblings, in the order of the slices."""
    parts: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for node in assignments:
        for target, value in _pairs(node):
            if (name := last_name(target)) and (part := _part(value)) is not None:
                parts[part[0]].append((part[1], name))
    for found in parts.values():
        if len(found) == 4 and len({place for place, _ in found}) == 4:
            yield [name for _, name in sorted(found)]


def _pairs(node: ast.Assign) -> Iterable[tuple[ast.expr, ast.expr]]:
    """Return pairs of target and value: ``i, f = z[0], z[1]`` assigns twice."""
    match node.targets, node.value:
        case [ast.Tuple(elts=targets) | ast.List(elts=targets)], ast.Tuple(elts=values) | ast.List(elts=values):
            return zip(targets, values, strict=False)
        case [target], value:
            return [(target, value)]
    return []


def _part(value: ast.expr) -> tuple[str, float] | None:
    """Return the array and the place of the one part of it that a value is made of."""
    subscripts = [
        node for node in ast.walk(value) if isinstance(node, ast.Subscript) and _place(node.slice) is not None
    ]
    if len(subscripts) != 1:
        return None
    owner, place = subscripts[0].value, _place(subscripts[0].slice)
    name = last_name(owner)
    return (name, place) if name and place is not None else None


def _place(index: ast.expr) -> float | None:
    last = index.elts[-1] if isinstance(index, ast.Tuple) and index.elts else index
    if isinstance(last, ast.Slice):
        return 0.0 if last.lower is None and last.upper is not None else _number(last.lower)
    return _number(last)


def _number(node: ast.expr | None) -> float | None:
    """Evaluate a bound such as ``2 * n`` with every name as 1: enough to put four of them in order."""
    match node:
        case ast.Constant(value=int(number)):
            return float(number)
        case ast.Name() | ast.Attribute():
            return 1.0
        case ast.BinOp(left=left, op=ast.Mult() | ast.Add() as sign, right=right):
            first, second = _number(left), _number(right)
            if first is not None and second is not None:
                return first * second if isinstance(sign, ast.Mult) else first + second
    return None


def _activated(assignments: Iterable[ast.Assign]) -> dict[str, str]:
    """Map opaque names to the names that replace them: ``i = tf.sigmoid(z0)``."""
    replacements: dict[str, str] = {}
    for node in assignments:
        match node:
            case ast.Assign(targets=[target], value=ast.Call(args=[ast.Name(id=name)])):
                if new_name := last_name(target):
                    replacements.setdefault(name, new_name)
    return replacements
