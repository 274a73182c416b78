"""Statements: follows a class from its input to its answer."""

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from box_requests import ACTIVATIONS
from scopes import defaults_of, root_name
from supplied_cell import CELL, SUPPLIED_CELL

from reader.plan.statement_plan import Plan
from reader.plan.statement_rules import CLASS
from reader.tracing import iteration
from reader.tracing.expressions import OPERATORS, span_of
from reader.tracing.loops import Loops, Snapshot
from reader.tracing.traces import ReturnedValue, Trace
from reader.tracing.values import NONE, Class, Const, Func, Map, Node, Obj, Scope, Seq, Span, Value, nodes_in

#: The results of `Tracer.run` at these statements.
BREAK, CONTINUE = Const("break"), Const("continue")
CHANGES = (ast.Assign, ast.AugAssign, ast.Return)
#: Values that are filled in later.
BLANK = frozenset(
    {
        *("zeros", "zeros_like", "ones", "ones_like", "empty", "empty_like", "full", "fill", "TensorArray"),
        *("name", "weight", "parameter"),
    }
)

# Its lines lie above those of the file, so that none of its parts is one of the student's.
_SUPPLIED = ast.increment_lineno(ast.parse(SUPPLIED_CELL), -len(SUPPLIED_CELL))


def trace(plan: Plan) -> Trace | None:
    """Follow the class from its input to its answer; None where the file has no class that could be followed.

    Raises:
        TooMuchError: it takes too many steps.
    """
    tracer, module = Tracer(), Scope({})
    if CELL not in plan.imports:
        tracer.run(_SUPPLIED.body, module)
    tracer.run([statement.node for statement in plan.core_statements() if isinstance(statement.node, ast.stmt)], module)
    kind = module.find(CLASS)
    if not isinstance(kind, Class):
        return None
    calls = [call for statement in plan.statements for call in statement.calls if root_name(call.func) == CLASS]
    model = tracer.make(kind, [], _arguments(kind, calls, tracer, module), (0, 0))
    tracer.is_answering = True
    # Those of the module's own statements and of the constructor.
    tracer.trace.loops.clear()
    tracer.trace.answers.clear()
    tracer.call(model, [tracer.trace.x], {}, (0, 0))
    return tracer.trace


def _arguments(kind: Class, calls: list[ast.Call], tracer: "Tracer", module: Scope) -> dict[str, Value]:
    """Return the arguments of the constructor that say something, or for which a default says nothing.

    The first are objects, classes and functions of the file, as a call has them; the others belong to parameters whose
    default is a number, or another one than a call has.
    """
    init = kind.find("__init__")
    if init is None or not isinstance(init[0], Func):
        return {}
    parameters = init[0].node.args
    names = [part.arg for part in (*parameters.posonlyargs, *parameters.args)][1:]
    pairs = [pair for call in calls for pair in zip(names, call.args, strict=False)]
    pairs += [(str(keyword.arg), keyword.value) for call in calls for keyword in call.keywords]
    others = {(name, ast.dump(value)) for name, value in pairs}
    arguments: dict[str, Value] = {
        part: Node("parameter", label=part)
        for part, default in defaults_of(parameters)
        if (isinstance(default, ast.Constant) and type(default.value) is int)
        or any(name == part and value != ast.dump(default) for name, value in others)
    }
    followed = ((name, tracer.value(value, module)) for name, value in pairs)
    return arguments | {name: value for name, value in followed if isinstance(value, Obj | Class | Func)}


class Tracer(Loops):
    """Follows statements."""

    def __init__(self) -> None:
        super().__init__()
        self.trace = Trace(Node("x"))
        self._is_unrolled = False

    def run(self, body: list[ast.stmt], scope: Scope) -> Value | None:
        """Follow statements, and return the value that they return, if they do."""
        values: list[Value] = []
        for statement in body:
            self.spend()
            value = self._statement(statement, scope)
            if value is BREAK or value is CONTINUE:
                return value
            if value is not None:
                values.append(value)
                if not isinstance(statement, ast.If | ast.For | ast.While | ast.Try):
                    break
                if isinstance(statement, ast.If) and self._always_returns(statement):
                    break
        return _either(values)

    @staticmethod
    def _always_returns(statement: ast.If) -> bool:
        return bool(statement.orelse) and all(
            isinstance(branch[-1], ast.Return | ast.Raise) for branch in (statement.body, statement.orelse)
        )

    def _statement(self, node: ast.stmt, scope: Scope) -> Value | None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                scope.names[node.name] = self.function(node, scope)
            case ast.ClassDef():
                self._class(node, scope)
            case ast.Assign([ast.Name(id=name) as grown], ast.BinOp(ast.Name(id=left), ast.Add(), added)) if (
                name == left and isinstance(scope.find(name), Seq)
            ):
                self._changed(ast.copy_location(ast.AugAssign(grown, ast.Add(), added), node), scope)
            case ast.Assign([ast.Name(id=name) as grown], ast.BinOp(added, ast.Add(), ast.Name(id=right))) if (
                name == right and isinstance(scope.find(name), Seq)
            ):
                self._changed(ast.copy_location(ast.AugAssign(grown, ast.Add(), added), node), scope, is_first=True)
            case ast.Assign():
                value = self.value(node.value, scope)
                for target in node.targets:
                    self._assign(target, value, scope)
                self._hold(node, value, scope)
            case ast.AnnAssign(value=ast.expr()):
                self._assign(node.target, self.value(node.value, scope), scope)
            case ast.AugAssign():
                self._changed(node, scope)
            case ast.Return():
                value = self.value(node.value, scope)
                if not self.is_trial and len(self._stack) <= 1:
                    self.trace.answers.append(ReturnedValue(value, span_of(node), bool(self.loops)))
                elif self.loops and isinstance(value, Seq) and isinstance(self._stack[-1], ast.FunctionDef):
                    order = list(value.fields) or [each.arg for each in self._stack[-1].args.args]
                    self.trace.given_back.append((value, order))
                return value
            case ast.Expr(value=ast.Yield() | ast.YieldFrom() as given):
                value = self.value(given.value, scope)
                self.collect(value, span_of(node), NONE)
                if not self.is_trial:
                    yielded = Node("yield", (value,), span_of(node))
                    self.trace.answers.append(ReturnedValue(yielded, yielded.span, True))
            case ast.Expr():
                value = self.value(node.value, scope)
                # NumPy can write what it computes into an argument.
                if isinstance(value, Node) and value.op in {*OPERATORS.values(), *ACTIVATIONS}:
                    self.doubt()
            case ast.If():
                return self._branch(node, scope)
            case ast.For() | ast.AsyncFor():
                return self._for(node, scope)
            case ast.While():
                test = self.value(node.test, scope)
                if self.is_answering and _never_ends(node):
                    self.trace.endless.append(span_of(node.test))
                self.repeat(test, scope, node.test, node, lambda: self.run(node.body, scope))
                return self.run(node.orelse, scope)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    value = self.value(item.context_expr, scope)
                    if item.optional_vars is not None:
                        self._assign(item.optional_vars, Node("with", (value,), span_of(node)), scope)
                return self.run(node.body, scope)
            case ast.Try():
                # Nobody knows which of the two is run to its end.
                if any(isinstance(each, CHANGES) for handler in node.handlers for each in ast.walk(handler)):
                    self.doubt()
                return self.run([*node.body, *node.orelse, *node.finalbody], scope)
            case ast.ImportFrom():
                for each in node.names:
                    if each.asname or each.name in scope.names:
                        scope.names[each.asname or each.name] = Node("name", label=each.name)
            case ast.Break():
                return BREAK
            case ast.Continue():
                return CONTINUE
            case ast.Match() | ast.Delete() | ast.Global() | ast.Nonlocal():
                self.doubt()
        return None

    def _hold(self, node: ast.Assign, value: Value, scope: Scope) -> None:
        on_object = any(isinstance(target, ast.Attribute) for target in node.targets)
        inner = (
            [*value.items.values()] if isinstance(value, Map) else value.items if isinstance(value, Seq) else [value]
        )
        names = [each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)]
        self.hold([*inner, *(scope.find(name) for name in names)], span_of(node), anywhere=on_object)

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        inner = Scope({}, scope)
        bases = [found for base in node.bases if isinstance(found := self.value(base, scope), Class)]
        fields = [
            each.target.id
            for each in node.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        ]
        kind = Class(node.name, inner.names, bases, tuple(fields))
        self.run(node.body, inner)
        # Methods do not see the names of the class.
        for name, value in inner.names.items():
            if isinstance(value, Func) and value.scope is inner:
                inner.names[name] = replace(value, scope=scope, home=kind)
        scope.names[node.name] = kind

    def _changed(self, node: ast.AugAssign, scope: Scope, *, is_first: bool = False) -> None:
        target: Any = node.target
        before = self.value(target, scope)
        value = self.value(node.value, scope)
        if isinstance(before, Seq) and isinstance(node.op, ast.Add):
            added = value.items[: iteration.MOST_UNROLLED] if isinstance(value, Seq) else [value]
            before.items[:] = [*added, *before.items] if is_first else [*before.items, *added]
            for each in added:
                self.collect(Node("inserted", (each,), span_of(node)) if is_first else each, span_of(node), before)
            return
        self._assign(node.target, self.operation(node.op, before, value, span_of(node)), scope)

    def _assign(self, target: ast.expr, value: Value, scope: Scope, *, is_one_of: int = 1) -> None:
        """Follow an assignment. A name that each of several elements gets in its turn says nothing about them."""
        match target:
            case ast.Name(id=name):
                scope.names[name] = iteration.labelled(value, name) if is_one_of == 1 else value
            case ast.Attribute(attr=name):
                owner = self.value(target.value, scope)
                if isinstance(owner, Obj):
                    if (member := owner.kind.find(name)) and isinstance(member[0], Func):
                        self.doubt()  # a setter
                    owner.attributes[name] = iteration.labelled(value, name)
                elif isinstance(owner, Seq) and name in owner.fields:
                    owner.items[owner.fields.index(name)] = iteration.labelled(value, name)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part, each in zip(parts, self._parts(parts, value, span_of(target)), strict=False):
                    self._assign(part, each, scope, is_one_of=is_one_of)
            case ast.Starred():
                self._assign(target.value, value, scope)
            case ast.Subscript():
                owner, key = self.value(target.value, scope), self.value(target.slice, scope)
                if isinstance(owner, Map) and isinstance(key, Const):
                    owner.items[key.value] = iteration.labelled(value, str(key.value))
                elif isinstance(owner, Seq) and isinstance(key, Const) and type(key.value) is int:
                    if -len(owner.items) <= key.value < len(owner.items):
                        owner.items[key.value] = value
                elif isinstance(owner, Seq) and isinstance(value, Seq) and (taken := iteration.known_slice(key)):
                    owner.items[taken] = value.items
                elif isinstance(owner, Map):
                    self.doubt()
                elif isinstance(owner, Seq | Node):
                    self.collect(value, span_of(target), owner, at=key)
                    if any(each.op not in BLANK for each in nodes_in([owner])):
                        self.doubt()

    @staticmethod
    def _parts(targets: list[ast.expr], value: Value, span: Span) -> list[Value]:
        """Return a value for each of several targets, a list for the one with a star."""
        star = next((at for at, each in enumerate(targets) if isinstance(each, ast.Starred)), None)
        if star is None:
            return iteration.unpacked(value, len(targets), span)
        if not isinstance(value, Seq) or len(value.items) < len(targets) - 1:
            return [Node("starred", (value,), span) for _ in targets]
        end = len(value.items) - (len(targets) - star - 1)
        return [*value.items[:star], Seq(value.items[star:end], span), *value.items[end:]]

    def _branch(self, node: ast.If, scope: Scope) -> Value | None:
        known = iteration.truth(self.value(node.test, scope))
        if known is not None:
            return self.run(node.body if known else node.orelse, scope)
        before = self.snapshot(scope)
        first = self.run(node.body, scope)
        changed = self.snapshot(scope)
        if first is not None or changed != before or node.orelse:
            self.choose(span_of(node.test))
        self.restore(before)
        second = self.run(node.orelse, scope)
        self._merge(before, changed, span_of(node))
        values = [value for value in (first, second) if value not in (None, BREAK, CONTINUE)]
        if self._is_unrolled and (BREAK in (first, second) or CONTINUE in (first, second)):
            self.doubt()
        return _either(values)

    def _merge(self, before: Snapshot, changed: Snapshot, span: Span) -> None:
        """Merge two branches: a value that one changed is either that, or as the other one left it."""
        for (holder, _), (_, after) in zip(before, changed, strict=False):
            if isinstance(holder, list) and len(after) > len(holder):
                holder[:] = after
            for name, value in after.items() if isinstance(holder, dict) else ():
                other = holder.get(name)
                if other is value:
                    continue
                if other is None or (isinstance(other, Const) and other.value is None and not isinstance(value, Const)):
                    holder[name] = value
                elif not isinstance(value, Const) or value.value is not None:
                    holder[name] = iteration.labelled(Node("either", (value, other), span), str(name))

    def _for(self, node: ast.For | ast.AsyncFor, scope: Scope) -> Value | None:
        over = self.value(node.iter, scope)
        known = iteration.elements(over)
        returned: list[Value] = []
        # One element may stand for all of them.
        if known is not None and not (isinstance(over, Seq) and len(known) == 1 and isinstance(known[0], Node)):
            outer, self._is_unrolled = self._is_unrolled, True
            value = None
            for each in known:
                self._assign(node.target, each, scope, is_one_of=len(known))
                if (value := self.run(node.body, scope)) not in (None, CONTINUE):
                    break
            self._is_unrolled = outer
            if value is BREAK:
                return None
            return self.run(node.orelse, scope) if value in (None, CONTINUE) else value

        def body() -> None:
            self._assign(node.target, iteration.element(over), scope)
            outer, self._is_unrolled = self._is_unrolled, False
            value = self.run(node.body, scope)
            self._is_unrolled = outer
            if value not in (None, BREAK, CONTINUE) and not self.is_trial:
                returned.append(value)

        self.repeat(over, scope, node.iter, node, body)
        return returned[0] if returned else self.run(node.orelse, scope)

    def generate(self, generators: list[ast.comprehension], scope: Scope, found: Callable[[Scope], None]) -> None:
        if not generators:
            found(scope)
            return
        first, *rest = generators
        over = self.value(first.iter, scope)
        known = iteration.elements(over)
        if known is None and self.is_answering:

            def body() -> None:
                self._assign(first.target, iteration.element(over), scope)
                self.generate(rest, scope, found)

            self.repeat(over, scope, first.iter, first.iter, body)
            return
        outer, self.is_repeated = self.is_repeated, self.is_repeated or known is None
        for each in [iteration.element(over)] if known is None else known:
            self._assign(first.target, each, scope, is_one_of=len(known or [each]))
            tests = [iteration.truth(self.value(test, scope)) for test in first.ifs]
            if None in tests:
                self.doubt()
            if False not in tests:
                self.generate(rest, scope, found)
        self.is_repeated = outer


def _never_ends(loop: ast.While) -> bool:
    """Return whether a loop is left by nothing in it, and nothing in it touches a name of its condition."""
    inside = [node for statement in loop.body for node in ast.walk(statement)]
    # t =+ 1 gives t the same number again and again.
    same = {
        target
        for each in inside
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.UnaryOp) and isinstance(each.value.op, ast.UAdd)
        for target in each.targets
    }
    stored = (node for node in inside if isinstance(getattr(node, "ctx", None), ast.Store) and node not in same)
    touched = {root_name(node) for node in stored}
    touched |= {root_name(node.func) for node in inside if isinstance(node, ast.Call)}
    read = {node.id for node in ast.walk(loop.test) if isinstance(node, ast.Name)}
    return not read & touched and not any(isinstance(node, ast.Break | ast.Return | ast.Raise) for node in inside)


def _either(found: list[Value]) -> Value | None:
    """Return the one value, or what stands for several."""
    span = next((value.span for value in reversed(found) if isinstance(value, Node | Seq)), (0, 0))
    return Node("either", tuple(found), span) if len(found) > 1 else found[0] if found else None
