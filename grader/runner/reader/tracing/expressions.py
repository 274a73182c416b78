"""Expressions, followed to values."""

import ast
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from scopes import defaults_of, last_name

from reader.tracing import iteration
from reader.tracing.calls import Calls
from reader.tracing.values import NONE, Class, Const, Func, Map, Node, Obj, Scope, Seq, Span, Super, Value

OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.MatMult: "matmul",
    ast.Pow: "pow",
}
COMPUTED: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
LARGEST, LONGEST = 1e9, 200


def span_of(node: ast.AST) -> Span:
    first = getattr(node, "lineno", 1)
    return first, getattr(node, "end_lineno", None) or first


class Expressions(Calls):
    """Follows expressions; one that is not understood becomes a node with the values it is made of."""

    def value(self, node: ast.expr | None, scope: Scope) -> Value:
        self.spend()
        if node is None:
            return NONE
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            parts = [self.value(part, scope) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
            return Node(type(node).__name__.lower(), tuple(parts), span_of(node))
        value: Value = method(node, scope)
        return value

    def _constant(self, node: ast.Constant, _scope: Scope) -> Value:
        if isinstance(node.value, int) and abs(node.value) > LARGEST:
            return Node("number", (), span_of(node))  # Python may refuse to write it
        return Const(node.value, span_of(node))

    def _name(self, node: ast.Name, scope: Scope) -> Value:
        value = scope.find(node.id)
        return Node("name", (), span_of(node), node.id) if value is None else value

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Value:
        return self.attribute(self.value(node.value, scope), node.attr, span_of(node))

    def attribute(self, owner: Value, name: str, span: Span) -> Value:
        if isinstance(owner, Obj):
            if name in owner.attributes:
                return owner.attributes[name]
            return self._member(owner, owner.kind.find(name), name, span)
        if isinstance(owner, Seq) and name in owner.fields:
            return owner.items[owner.fields.index(name)]
        if isinstance(owner, Super):
            for base in owner.home.bases:
                if found := base.find(name):
                    return self._member(owner.owner, found, name, span)
            return Node("name", (), span, f"super.{name}")
        if isinstance(owner, Class) and (found := owner.find(name)):
            return found[0]
        if isinstance(owner, Node) and owner.op == "name":
            return Node("name", (), span, f"{owner.label}.{name}"[:LONGEST])
        return Node("transpose" if name == "T" else "attribute", (owner,), span, name)

    def _member(self, owner: Obj, found: tuple[Value, Class] | None, name: str, span: Span) -> Value:
        if found is None:
            if name == "__dict__":
                self.doubt()
            return Node("name", (), span, f"self.{name}")
        value, home = found
        if not isinstance(value, Func):
            return value
        kinds = set(map(last_name, getattr(value.node, "decorator_list", [])))
        if "staticmethod" in kinds:
            return value
        bound = replace(value, owner=owner, home=home)
        return self.call(bound, [], {}, span) if "property" in kinds else bound

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Value:
        owner, index = self.value(node.value, scope), self.value(node.slice, scope)
        return iteration.item(owner, index, span_of(node))

    def _slice(self, node: ast.Slice, scope: Scope) -> Value:
        bounds = tuple(self.value(each, scope) for each in (node.lower, node.upper, node.step))
        return Node("slice", bounds, span_of(node))

    def _tuple(self, node: ast.Tuple | ast.List, scope: Scope) -> Value:
        return self.on_heap(Seq(self._spread(node.elts, scope), span_of(node)))

    def _spread(self, elements: list[ast.expr], scope: Scope) -> list[Value]:
        """Return values in their order, those behind a star one by one."""
        values: list[Value] = []
        for element in elements:
            value = self.value(element, scope)
            values += value.items if isinstance(element, ast.Starred) and isinstance(value, Seq) else [value]
        return values

    _list = _tuple
    _set = _tuple

    def _dict(self, node: ast.Dict, scope: Scope) -> Value:
        items: dict[Any, Value] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            name, held = self.value(key, scope), self.value(value, scope)
            if key is None and isinstance(held, Map):
                items |= held.items
            elif isinstance(name, Const):
                items[name.value] = iteration.labelled(held, str(name.value))
        return self.on_heap(Map(items))

    def _binop(self, node: ast.BinOp, scope: Scope) -> Value:
        return self.operation(node.op, self.value(node.left, scope), self.value(node.right, scope), span_of(node))

    def operation(self, kind: ast.operator, left: Value, right: Value, span: Span) -> Value:
        if isinstance(left, Const) and isinstance(right, Const) and type(kind) in COMPUTED:
            return self._computed(COMPUTED[type(kind)], left.value, right.value, span)
        if isinstance(left, Seq) and isinstance(right, Seq) and isinstance(kind, ast.Add):
            return self.on_heap(Seq([*left.items, *right.items], span))
        if isinstance(left, Map) and isinstance(right, Map) and isinstance(kind, ast.BitOr):
            return self.on_heap(Map({**left.items, **right.items}))
        if isinstance(left, Seq) and isinstance(kind, ast.Mult):
            count = right.value if isinstance(right, Const) and isinstance(right.value, int) else 1
            return self.on_heap(Seq(left.items * (count if 0 <= count <= 16 else 1), span))
        return Node(OPERATORS.get(type(kind), type(kind).__name__.lower()), (left, right), span)

    def _computed(self, compute: Callable[[Any, Any], Any], left: Any, right: Any, span: Span) -> Value:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if numbers or (isinstance(left, str) and isinstance(right, str) and compute is operator.add):
            try:
                result = compute(left, right)
            except (ArithmeticError, TypeError, ValueError):
                return Node("number", (), span)
            if (numbers and abs(result) < LARGEST) or (not numbers and len(result) < LONGEST):
                return Const(result)
        return Node("number", (Const(left), Const(right)), span)

    def _unaryop(self, node: ast.UnaryOp, scope: Scope) -> Value:
        value = self.value(node.operand, scope)
        if isinstance(node.op, ast.Not):
            known = iteration.truth(value)
            return Node("not", (value,), span_of(node)) if known is None else Const(not known)
        if isinstance(value, Const) and isinstance(value.value, int | float) and isinstance(node.op, ast.USub):
            return Const(-value.value)
        return Node("neg" if isinstance(node.op, ast.USub) else "unary", (value,), span_of(node))

    def _compare(self, node: ast.Compare, scope: Scope) -> Value:
        left = self.value(node.left, scope)
        rights = [self.value(each, scope) for each in node.comparators]
        known = iteration.compare(left, node.ops[0], rights[0]) if len(rights) == 1 else None
        return Const(known) if known is not None else Node("compare", (left, *rights), span_of(node))

    def _boolop(self, node: ast.BoolOp, scope: Scope) -> Value:
        values: list[Value] = []
        for each in node.values:
            value = self.value(each, scope)
            known = iteration.truth(value)
            if known is isinstance(node.op, ast.Or):
                return value
            if known is None:
                values.append(value)
        return Node("either", tuple(values), span_of(node)) if values else value

    def _ifexp(self, node: ast.IfExp, scope: Scope) -> Value:
        test = self.value(node.test, scope)
        known = iteration.truth(test)
        if known is not None:
            return self.value(node.body if known else node.orelse, scope)
        self.choose(span_of(node))
        return Node("either", (self.value(node.body, scope), self.value(node.orelse, scope), test), span_of(node))

    def _joinedstr(self, node: ast.JoinedStr, scope: Scope) -> Value:
        text = ""
        for part in node.values:
            value = self.value(part.value if isinstance(part, ast.FormattedValue) else part, scope)
            if not isinstance(value, Const):
                return Node("text", (value,), span_of(node))
            text += str(value.value)[:LONGEST]
        return Const(text[:LONGEST])

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope) -> Value:
        """Return a function, with its defaults as they are now, in the decorators of the file."""
        defaults = {name: self.value(default, scope) for name, default in defaults_of(node.args)}
        function: Value = Func(node, scope, defaults)
        for each in reversed(getattr(node, "decorator_list", [])):
            if isinstance(decorator := self.value(each, scope), Func | Class | Obj):
                function = self.call(decorator, [function], {}, span_of(each))
        return function

    _lambda = function

    def _namedexpr(self, node: ast.NamedExpr, scope: Scope) -> Value:
        value = self.value(node.value, scope)
        scope.names[node.target.id] = iteration.labelled(value, node.target.id)
        return value

    def _starred(self, node: ast.Starred, scope: Scope) -> Value:
        return self.value(node.value, scope)

    def _listcomp(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp, scope: Scope) -> Value:
        values: list[Value] = []

        def add(inner: Scope) -> None:
            # A loop that is followed twice gives its element twice.
            value = self.value(node.elt, inner)
            if self.loops and self.loops[-1].span == span_of(node.generators[-1].iter):
                values.clear()
                self.collect(value, span_of(node.elt), NONE)
            values.append(value)

        self.generate(node.generators, Scope({}, scope), add)
        return self.on_heap(Seq(values, span_of(node)))

    _generatorexp = _listcomp
    _setcomp = _listcomp

    def _dictcomp(self, node: ast.DictComp, scope: Scope) -> Value:
        items: dict[Any, Value] = {}

        def add(inner: Scope) -> None:
            key, value = self.value(node.key, inner), self.value(node.value, inner)
            if isinstance(key, Const):
                items[key.value] = iteration.labelled(value, str(key.value))

        self.generate(node.generators, Scope({}, scope), add)
        return self.on_heap(Map(items))

    def _call(self, node: ast.Call, scope: Scope) -> Value:
        function = self.value(node.func, scope)
        arguments = self._spread(node.args, scope)
        keywords: dict[str, Value] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value, scope)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, Map):
                keywords |= {str(key): held for key, held in value.items.items()}
        if isinstance(function, Node) and function.label == "super" and function.op == "name":
            return self.super_of(scope)
        return self.call(function, arguments, keywords, span_of(node))
