"""Loops: the values that a step gets and those that it leaves to the next."""

import ast
from collections.abc import Callable
from typing import Any

from reader.tracing import iteration
from reader.tracing.expressions import Expressions, span_of
from reader.tracing.traces import CarriedValue, CollectedOutput, Loop
from reader.tracing.values import NONE, Const, Func, Map, Node, Obj, Scope, Seq, Span, Value, reachable_nodes

MOST_NESTED = 3
#: Names and contents of everything that a statement can change.
Snapshot = list[tuple[Any, Any]]


class Loops(Expressions):
    """Follows loops, and functions that TensorFlow calls for each step."""

    def repeat(self, over: Value, scope: Scope, head: ast.expr, whole: ast.AST, body: Callable[[], Any]) -> Loop:
        """Follow a body twice: to see what it changes, then with symbols for what a step leaves to the next."""
        loop = Loop(span_of(head), over, lines=span_of(whole), outer=next(reversed(self.loops), None))
        if len(self.loops) >= MOST_NESTED:
            return loop
        outer_trial, self.is_trial = self.is_trial, True
        before = self.snapshot(scope)
        self.loops.append(loop)
        body()
        slots, growing = self._changed_slots(before), self._growing(before)
        self.restore(before)
        self.is_trial = outer_trial
        pairs = [(holder, key, self._symbols(value, str(key)), value) for holder, key, value in slots]
        for holder, key, symbol, _ in pairs:
            holder[key] = symbol
        # ``hs[-1]`` is what the step before appended, and ``hs[-2]`` what the one before that did.
        ends = [(holder, Node("state", (holder[-1],)), Node("state", (holder[-1],))) for holder in growing]
        for holder, last, older in ends:
            holder += [older, last]
        body()
        for holder, key, symbol, value in pairs:
            after = holder[key] if isinstance(holder, dict) or key < len(holder) else NONE
            on_object = any(isinstance(each, Obj) and each.attributes is holder for each in self.heap)
            loop.carried += self._carried(str(key), symbol, value, after, on_object)
        for holder, last, older in ends:
            after = holder[-1] if holder else NONE
            # The body may have taken any item out.
            holder[:] = [each for each in holder if each is not older and each is not last]
            if not holder:
                continue
            used = reachable_nodes([after, *(each.value for each in loop.collected)])
            pairs_of_list: list[tuple[Node, Value]] = [(last, after), (older, last)]
            loop.carried += [
                CarriedValue("".join(symbol.names[:1]), symbol, holder[0], given)
                for symbol, given in pairs_of_list
                if symbol in used
            ]
        self.loops.pop()
        if not self.is_trial:
            self.trace.loops.append(loop)
        return loop

    def over_time(self, name: str, arguments: list[Value], keywords: dict[str, Value], span: Span) -> Value:
        """Follow ``tf.scan``, ``tf.while_loop``, ``tf.map_fn`` and folds, whose steps are functions."""
        function = arguments[1 if name == "while_loop" and len(arguments) > 1 else 0]
        rest = [*arguments[2 if name == "while_loop" else 1 :], *keywords.values()]
        over = rest[0] if rest else NONE
        if iteration.truth(keywords.get("reverse", NONE)):
            over = Node("reverse", (over,), span)
        loop = Loop(span, over if name != "while_loop" else arguments[0], outer=next(reversed(self.loops), None))
        if len(self.loops) >= MOST_NESTED or not isinstance(function, Func | Node | Obj):
            return Node(name, tuple(arguments), span)
        start = over if name == "while_loop" else keywords.get("initializer", rest[1] if len(rest) > 1 else NONE)
        symbol = self._symbols(start, name)
        self.loops.append(loop)
        if name == "while_loop":
            inputs: list[Value] = list(symbol.items) if isinstance(symbol, Seq) else [symbol]
        else:
            each = iteration.element(over)
            inputs = [each] if name == "map_fn" else [symbol, each]
        outer, self._home = self._home, len(self._stack) + 1
        after = self.call(function, inputs, {}, span)
        if isinstance(after, Seq):
            self.hold(after.items, after.span)
        self._home = outer
        if name != "map_fn":
            loop.carried += self._carried(name, symbol, start, after)
        self.loops.pop()
        if not self.is_trial:
            self.trace.loops.append(loop)
        if name in ("while_loop", "reduce", "foldl"):
            return after
        if name == "accumulate":
            return Seq([after], span)  # one that stands for all
        parts = after.items if isinstance(after, Seq) else [after]
        # The result of a scan has a row for each step.
        rows = [Node("rows", (part,), span) for part in parts]
        for part, row in zip(parts, rows, strict=True):
            loop.collected += [] if self.is_trial else [CollectedOutput(part, span, row)]
        return Seq(list(rows), span) if isinstance(after, Seq) else rows[0]

    def snapshot(self, scope: Scope) -> Snapshot:
        scopes: list[dict[Any, Value]] = []
        each: Scope | None = scope
        while each is not None:
            scopes.append(each.names)
            each = each.outer
        contents = [_content(value) for value in self.heap]
        self.spend(1 + len(contents) // 16)
        return [(holder, holder.copy()) for holder in [*scopes, *contents]]

    @staticmethod
    def restore(before: Snapshot) -> None:
        for holder, content in before:
            if isinstance(holder, dict):
                holder.clear()
                holder.update(content)
            else:
                holder[:] = content

    @staticmethod
    def _changed_slots(before: Snapshot) -> list[tuple[Any, Any, Value]]:
        slots: list[tuple[Any, Any, Value]] = []
        for holder, content in before:
            keys = content if isinstance(content, dict) else range(min(len(content), len(holder)))
            for key in keys:
                old = content[key]
                if key == "__built__" or not isinstance(old, Node | Seq | Map | Const):
                    continue
                now = holder.get(key) if isinstance(holder, dict) else holder[key]
                if now is not old and not (isinstance(old, Seq | Map) and not old.items):
                    slots.append((holder, key, old))
        return slots

    @staticmethod
    def _growing(before: Snapshot) -> list[list[Value]]:
        """Return the lists that began with a value and got one more."""
        lists = ((holder, content) for holder, content in before if isinstance(holder, list) and content)
        return [
            holder
            for holder, content in lists
            if len(holder) == len(content) + 1 and all(isinstance(each, Node) for each in (content[-1], holder[-1]))
        ]

    def _symbols(self, value: Value, name: str) -> Value:
        """Return what stands for a value in a step: a list or a dictionary of states has a symbol for each."""
        self.spend()
        if isinstance(value, Seq):
            names = value.fields or [name] * len(value.items)
            symbols = [self._symbols(each, own) for each, own in zip(value.items, names, strict=True)]
            return Seq(symbols, value.span, value.fields)
        if isinstance(value, Map):
            return Map({key: self._symbols(each, str(key)) for key, each in value.items.items()})
        held = list(value.names) if isinstance(value, Node) else []
        return Node("state", (value,), value.span if isinstance(value, Node) else (0, 0), name, names=[*held, name])

    def _carried(
        self, name: str, symbol: Value, before: Value, after: Value, on_object: bool = False
    ) -> list[CarriedValue]:
        self.spend()
        parts: list[tuple[str, Value, Value, Value]] = []
        if isinstance(symbol, Seq) and isinstance(before, Seq):
            values = iteration.unpacked(after, len(symbol.items), (0, 0))
            names = symbol.fields or [name] * len(symbol.items)
            parts = list(zip(names, symbol.items, before.items, values, strict=False))
        elif isinstance(symbol, Map) and isinstance(before, Map) and isinstance(after, Map):
            keys = [key for key in symbol.items if key in after.items]
            parts = [(str(key), symbol.items[key], before.items[key], after.items[key]) for key in keys]
        elif isinstance(symbol, Node):
            return [CarriedValue(name, symbol, before, after, on_object)]
        return [each for part in parts for each in self._carried(*part, on_object)]


def _content(value: Seq | Map | Obj) -> Any:
    return value.attributes if isinstance(value, Obj) else value.items
