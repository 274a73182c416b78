"""Calls, followed into functions of the file; calls of TensorFlow and Keras become nodes."""

import ast
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from reader.tracing import iteration
from reader.tracing.traces import CollectedOutput, Loop, Trace
from reader.tracing.values import NONE, Class, Const, Func, Map, Node, Obj, Scope, Seq, Span, Super, Value

Held = TypeVar("Held", Seq, Map, Obj)
Made = TypeVar("Made", Node, Obj)

MOST_STEPS, MOST_DEPTH, MOST_KEPT, MOST_ITEMS, MOST_FIELDS = 12_000, 14, 2_000, 256, 16
# Honest classes take thousandths of one; a pause to collect garbage may take half of one.
SECONDS = 1.0
SAME = {
    "multiply": "mul", "subtract": "sub", "divide": "div", "truediv": "div", "dot": "matmul", "einsum": "matmul",
    "tensordot": "matmul", "bias_add": "add", "add_n": "add", "negative": "neg", "Multiply": "mul", "Add": "add",
    "Subtract": "sub", "Concatenate": "concat", "concatenate": "concat", "hstack": "concat", "Dot": "matmul",
    "expit": "sigmoid",
}  # fmt: skip
TRANSPARENT = frozenset({"identity", "convert_to_tensor", "ensure_shape", "asarray", "constant", "tensor", "copy"})
WEIGHTS = frozenset({"add_weight", "add_variable", "Variable", "Parameter", "get_variable"})
METHODS = ("__call__", "call", "forward")
#: Functions that change values in ways that are not followed.
OPAQUE = frozenset({"exec", "eval", "vars", "locals", "globals", "copyto", "setitem", "update"})
#: Methods of lists and dictionaries that change nothing.
HARMLESS = frozenset({"index", "count", "copy", "get"})
#: Operations that the reader makes itself, with arguments of their own; a call of that name is something else.
OWN = frozenset({"attribute", "element", "item", "layer", "name", "parameter", "slice", "state", "weight", "x"})
#: Functions that draw random numbers.
RANDOM = frozenset({"normal", "uniform", "rand", "randn", "truncated_normal", "standard_normal"})
#: Parameters of TensorFlow, Keras and NumPy for the values that something is computed from, in their order.
VALUES = ("x", "x1", "a", "input", "input_", "inputs", "tensor", "value", "values", "features", "y", "x2", "b")
#: Layers that only join their inputs.
JOINS = frozenset({"Multiply", "Add", "Subtract", "Concatenate", "Dot"})


class TooMuchError(Exception):
    """The code takes more steps to follow than it is worth."""


class Calls(ABC):
    """Follows calls of the file's functions, classes and objects; other calls become nodes with their arguments."""

    trace: Trace

    def __init__(self) -> None:
        self._steps = 0
        self._deadline = time.thread_time() + SECONDS
        self._stack: list[object] = []
        # The depth of the stack where the class itself runs, or the function that is its step.
        self._home = 1
        self.heap: list[Seq | Map | Obj] = []
        self.loops: list[Loop] = []
        self.is_answering = False
        self.is_trial = False
        self.is_repeated = False
        self._making = 0

    def spend(self, steps: int = 1) -> None:
        """Count steps. Raises: TooMuchError: they are too many, or took too long."""
        self._steps += steps
        if self._steps > MOST_STEPS or (not self._steps % 64 and time.thread_time() > self._deadline):
            raise TooMuchError

    def doubt(self) -> None:
        """Remember that numbers may have changed where nobody followed."""
        self.trace.is_doubtful = self.trace.is_doubtful or self.is_answering

    def hold(self, values: Iterable[Value | None], span: Span, *, anywhere: bool = False) -> None:
        """Remember the statement that gave values their names, in a loop of the class itself or `anywhere`."""
        if self.loops and not self.is_trial and (anywhere or len(self._stack) <= self._home):
            self.trace.named_values += [(each, span) for each in values if isinstance(each, Node)]

    def on_heap(self, value: Held) -> Held:
        if len(self.heap) > MOST_KEPT or (isinstance(value, Seq) and len(value.items) > MOST_ITEMS):
            raise TooMuchError
        self.heap.append(value)
        return value

    # Defined by the classes that build on this one.
    @abstractmethod
    def value(self, node: ast.expr | None, scope: Scope) -> Value: ...

    @abstractmethod
    def attribute(self, owner: Value, name: str, span: Span) -> Value: ...

    @abstractmethod
    def run(self, body: list[ast.stmt], scope: Scope) -> Value | None: ...

    @abstractmethod
    def generate(self, generators: list[ast.comprehension], scope: Scope, found: Callable[[Scope], None]) -> None: ...

    def super_of(self, scope: Scope) -> Value:
        owner, home = scope.find("__owner__"), scope.find("__home__")
        return Super(owner, home) if isinstance(owner, Obj) and isinstance(home, Class) else Node("name", label="super")

    def call(self, function: Value, arguments: list[Value], keywords: dict[str, Value], span: Span) -> Value:
        self.spend()
        if isinstance(function, Func):
            return self._enter(function, arguments, keywords, span)
        if isinstance(function, Class):
            return self.make(function, arguments, keywords, span)
        if isinstance(function, Obj):
            if isinstance(self._method(function, "build"), Func) and "__built__" not in function.attributes:
                function.attributes["__built__"] = Const(True)
                self.call(self.attribute(function, "build", span), [Node("parameter")], {}, span)
            for name in METHODS:
                if isinstance(method := self._method(function, name), Func):
                    return self.call(method, arguments, keywords, span)
            return Node("apply", (function, *arguments), span)
        if isinstance(function, Node):
            return self._outside(function, arguments, keywords, span)
        return Node("call", (*arguments, *keywords.values()), span)

    def _method(self, owner: Obj, name: str) -> Value | None:
        return self.attribute(owner, name, owner.span) if owner.kind.find(name) else None

    def make(self, kind: Class, arguments: list[Value], keywords: dict[str, Value], span: Span) -> Obj | Seq:
        if kind.fields and not any(isinstance(member, Func) for member in kind.members.values()):
            given = {**kind.members, **dict(zip(kind.fields, arguments, strict=False)), **keywords}
            items = [iteration.labelled(given.get(name, NONE), name) for name in kind.fields]
            return self.on_heap(Seq(items, span, kind.fields))
        instance = self._note(self.on_heap(Obj(kind, {}, span)))
        self._making += 1
        if isinstance(init := self._method(instance, "__init__"), Func):
            self.call(init, arguments, keywords, span)
        self._making -= 1
        return instance

    def _note(self, made: Made) -> Made:
        """Note a layer or object that is made while the class answers, or repeatedly; its parts are not noted."""
        if self._making > 1 or (self._making and self.is_answering) or self.is_trial:
            return made
        if self.is_answering:
            self.trace.created_in_call.append(made)
        elif self.is_repeated and isinstance(made, Obj):
            self.trace.created_repeatedly.append(made)
        return made

    def _enter(self, function: Func, arguments: list[Value], keywords: dict[str, Value], span: Span) -> Value:
        if len(self._stack) >= MOST_DEPTH or self._stack.count(function.node) > 1:
            return Node("call", tuple(arguments), span)
        scope = Scope(self._bound(function, arguments, keywords), function.scope)
        if function.owner is not None and function.home is not None:
            scope.names |= {"__owner__": function.owner, "__home__": function.home}
        self._stack.append(function.node)
        try:
            if isinstance(function.node, ast.Lambda):
                return self.value(function.node.body, scope)
            answer = self.run(function.node.body, scope)
            return NONE if answer is None else answer
        finally:
            self._stack.pop()

    def _bound(self, function: Func, arguments: list[Value], keywords: dict[str, Value]) -> dict[str, Value]:
        parameters = function.node.args
        plain = [*parameters.posonlyargs, *parameters.args]
        if function.owner is not None:
            arguments = [function.owner, *arguments]
        values: dict[str, Value] = {part.arg: value for part, value in zip(plain, arguments, strict=False)}
        names = {part.arg for part in (*plain, *parameters.kwonlyargs)}
        values |= {name: value for name, value in keywords.items() if name in names}
        if parameters.vararg:
            values[parameters.vararg.arg] = self.on_heap(Seq(arguments[len(plain) :]))
        if parameters.kwarg:
            rest: dict[Any, Value] = {name: value for name, value in keywords.items() if name not in names}
            values[parameters.kwarg.arg] = self.on_heap(Map(rest))
        unknown: dict[str, Value] = {name: Node("parameter", label=name) for name in names}
        return {**unknown, **function.defaults, **values}

    def _outside(self, function: Node, arguments: list[Value], keywords: dict[str, Value], span: Span) -> Value:
        if function.op == "layer":
            return self.apply(function, arguments, keywords, span)
        if function.op == "attribute":
            return self._of_value(function.args[0], str(function.label), arguments, keywords, span)
        if function.op != "name":
            return Node("call", (function, *arguments, *keywords.values()), span)
        name = str(function.label).rpartition(".")[2]
        if name in RANDOM and self.is_answering and not self.is_trial:
            self.trace.random_in_call.append(span)
        if name in OPAQUE or "out" in keywords:
            self.doubt()
        if name == "namedtuple" and len(arguments) > 1:
            fields = arguments[1].items if isinstance(arguments[1], Seq) else arguments[1:2]
            named = " ".join(str(each.value) for each in fields if isinstance(each, Const)).replace(",", " ")
            return Class(name, {}, [], tuple(named.split()[:MOST_FIELDS]))
        if function.label == "slice":
            bounds = [NONE, *arguments] if len(arguments) == 1 else arguments
            return Node("slice", tuple([*bounds, NONE, NONE, NONE][:3]), span)
        if found := self._builtin(name, arguments, keywords, span):
            return found
        arguments = [*arguments, *(keywords[each] for each in VALUES if each in keywords)]
        keywords = {each: value for each, value in keywords.items() if each not in VALUES}
        if name in TRANSPARENT and arguments and isinstance(arguments[0], Node | Seq):
            return arguments[0]
        if name in WEIGHTS:
            return self._note(Node("weight", tuple(arguments), span, name, keywords))
        # Methods of NumPy have these names too.
        if name == "accumulate":
            arguments = [*arguments[1::-1], *(value for key, value in keywords.items() if key == "initial")]
        is_fold = name in ("reduce", "foldl", "accumulate") and bool(arguments) and isinstance(arguments[0], Func | Obj)
        if is_fold or (name in ("scan", "while_loop", "map_fn") and arguments):
            return self.over_time(name, arguments, keywords, span)
        if name == "get" and arguments and isinstance(arguments[0], Const) and isinstance(arguments[0].value, str):
            return Node("name", (), span, arguments[0].value[:60])
        if name[:1].isupper() and name not in SAME and name != "TensorArray":
            return self._note(Node("layer", tuple(arguments), span, name, keywords))
        if name in JOINS:
            return Node("layer", tuple(arguments), span, name, keywords)
        if name == "add_n" and arguments and isinstance(arguments[0], Seq):
            arguments = list(arguments[0].items)
        return _operation(name, arguments, keywords, span)

    @abstractmethod
    def over_time(self, name: str, arguments: list[Value], keywords: dict[str, Value], span: Span) -> Value: ...

    def apply(self, layer: Node, arguments: list[Value], keywords: dict[str, Value], span: Span) -> Value:
        """Return the answer of a Keras layer: its own activation lies around it, on the line that makes the layer."""
        kind = str(layer.label)
        inputs = tuple(arguments) or tuple(keywords.values())[:1]
        if kind == "Sequential" and layer.args and isinstance(layer.args[0], Seq) and inputs:
            value: Value = inputs[0]
            for part in layer.args[0].items[: iteration.MOST_UNROLLED]:
                value = self.call(iteration.labelled(part, "".join(layer.names[:1])), [value], {}, span)
            return value
        if kind == "Lambda" and layer.args:
            return self.call(layer.args[0], list(inputs), {}, span)
        if kind == "Activation" and layer.args:
            return self._activated(layer.args[0], inputs, span)
        if kind in JOINS and inputs:
            parts = inputs[0].items if isinstance(inputs[0], Seq) else inputs
            return Node(SAME[kind], (Seq(list(parts)),) if kind == "Concatenate" else tuple(parts), span)
        if kind != "Dense":
            return Node(kind.lower() if kind != "EinsumDense" else "apply", (*inputs, layer), span)
        product = Node("apply", (layer, *inputs), span)
        function = layer.keywords.get("activation", layer.args[1] if len(layer.args) > 1 else NONE)
        return self._activated(function, (product,), layer.span)

    def _activated(self, function: Value, inputs: tuple[Value, ...], span: Span) -> Value:
        if isinstance(function, Const):
            if function.value in (None, "linear") or not isinstance(function.value, str):
                return inputs[0] if inputs else NONE
            return Node(function.value[:60], inputs, span)
        return self.call(function, list(inputs), {}, span)

    def _builtin(self, name: str, arguments: list[Value], keywords: dict[str, Value], span: Span) -> Value | None:
        first = arguments[0] if arguments else NONE
        key = arguments[1].value if len(arguments) > 1 and isinstance(arguments[1], Const) else None
        match name:
            case "getattr" if isinstance(key, str):
                return self.attribute(first, key[:60], span)
            case "setattr" if isinstance(key, str) and isinstance(first, Obj) and len(arguments) == 3:
                first.attributes[key[:60]] = iteration.labelled(arguments[2], key)
                return NONE
            case "setattr":
                self.doubt()
            case "list" | "tuple" if isinstance(first, Seq):
                return self.on_heap(Seq(list(first.items), span))
            case "list" | "tuple" if not arguments:
                return self.on_heap(Seq([], span))
            case "map" if len(arguments) == 2 and (known := iteration.elements(arguments[1])) is not None:
                return self.on_heap(Seq([self.call(first, [each], {}, span) for each in known], span))
            case "dict":
                return self.on_heap(Map({**(first.items if isinstance(first, Map) else {}), **keywords}))
            case "isinstance":
                return Node("isinstance", tuple(arguments), span)
            case "float" | "int" if isinstance(first, Node):
                return first
            case "reversed" if isinstance(first, Seq) and len(first.items) > 1:
                return Seq(first.items[::-1], span)
            case "partial" if isinstance(first, Node) and first.op == "name":
                layer = Node("layer", tuple(arguments[1:]), span, str(first.label).rpartition(".")[2], keywords)
                return layer if str(layer.label)[:1].isupper() else None
        return None

    def _of_value(
        self, owner: Value, name: str, arguments: list[Value], keywords: dict[str, Value], span: Span
    ) -> Value:
        """Call a method of something that is not an object of the file: a list, a dictionary, a tensor."""
        if isinstance(owner, Seq) and name in ("append", "extend") and arguments:
            added = arguments[0].items if name == "extend" and isinstance(arguments[0], Seq) else arguments[:1]
            owner.items += added[:MOST_ITEMS]
            self.spend(len(added))
            for value in added:
                self.collect(value, span, owner)
            return NONE
        if isinstance(owner, Seq) and name == "insert" and len(arguments) == 2:
            owner.items.insert(_index(arguments, 0), arguments[1])
            self.collect(Node("inserted", (arguments[1],), span), span, owner)
            return NONE
        if isinstance(owner, Seq) and name == "reverse":
            owner.items[:] = [Node("reverse", (each,), span) for each in owner.items[::-1]]
            return NONE
        if isinstance(owner, Map) and name in ("items", "values", "keys"):
            pairs: list[Value] = [
                Seq([Const(key), value]) if name == "items" else value if name == "values" else Const(key)
                for key, value in owner.items.items()
            ]
            return Seq(pairs, span)
        if isinstance(owner, Map) and name in ("get", "pop") and arguments and isinstance(arguments[0], Const):
            take = owner.items.get if name == "get" else owner.items.pop
            return take(arguments[0].value, arguments[1] if len(arguments) > 1 else NONE)
        if isinstance(owner, Seq) and owner.fields and name in ("_replace", "_asdict"):
            held: dict[Any, Value] = {**dict(zip(owner.fields, owner.items, strict=True)), **keywords}
            if name == "_asdict":
                return self.on_heap(Map(held))
            return self.on_heap(Seq(list(held.values()), span, owner.fields))
        values = arguments[0] if arguments else Map({})
        if isinstance(owner, Map) and name == "update" and isinstance(values, Map):
            owner.items |= {**values.items, **keywords}
            self.hold([*values.items.values(), *keywords.values()], span)
            return NONE
        is_place = not arguments or type(getattr(arguments[0], "value", None)) is int
        if isinstance(owner, Seq | Node) and name in ("pop", "popleft") and is_place:
            at = 0 if name == "popleft" else _index(arguments, -1)
            if (taken := self._taken(owner, at, span)) is not None:
                return taken
        if isinstance(owner, Seq | Map) and name not in HARMLESS:
            self.doubt()
        if isinstance(owner, Const) and isinstance(owner.value, str) and name in ("lower", "upper", "strip", "split"):
            changed = getattr(owner.value, name)()
            return Const(changed) if isinstance(changed, str) else Seq([Const(part) for part in changed[:16]])
        if name == "write" and len(arguments) == 2:
            self.collect(arguments[1], span, owner, at=arguments[0])
        return _operation(name, [owner, *arguments], keywords, span)

    def _taken(self, owner: Seq | Node, at: int, span: Span) -> Value | None:
        """Return the element that is taken out of a list, in a loop one that stands for all."""
        if isinstance(owner, Seq) and len(owner.items) != 1:
            return owner.items.pop(at) if -len(owner.items) <= at < len(owner.items) else None
        if isinstance(owner, Seq):
            return owner.items[0] if at == 0 or not self.loops else Node("reversed", (owner.items[0],), span)
        return iteration.element(owner if at == 0 else Node("reversed", (owner,), span))

    def choose(self, test: Span) -> None:
        if self.loops and not self.is_trial:
            self.trace.choices.append(test)

    def collect(self, value: Value, span: Span, into: Value, at: Value = NONE) -> None:
        if iteration.counts_down(at):
            value = Node("inserted", (value,), span)
        if self.loops and not self.is_trial:
            self.loops[-1].collected.append(CollectedOutput(value, span, into))


def _index(arguments: list[Value], otherwise: int) -> int:
    first = arguments[0] if arguments else NONE
    return first.value if isinstance(first, Const) and type(first.value) is int else otherwise


def _operation(name: str, arguments: list[Value], keywords: dict[str, Value], span: Span) -> Node:
    return Node(f"{name}()" if name in OWN else SAME.get(name, name), tuple(arguments), span, None, keywords)
