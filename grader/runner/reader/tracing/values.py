"""Values that the tracer follows: expressions with their lines, containers, functions, classes and objects."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Span = tuple[int, int]


@dataclass(eq=False, slots=True)
class Const:
    """A number, a text, None, or a truth value; `span` where it is written down."""

    value: Any
    span: Span = (0, 0)


@dataclass(eq=False, slots=True)
class Node:
    """An expression that is not computed.

    Attributes:
        op: ``add``, ``mul``, the name of a called function, ``apply`` (a layer), ``item``, ``weight``, ``state`` (a
            value that one step of a loop leaves to the next), ``name`` (of something outside the file), ...
        label: an item's index, a layer's kind, or the dotted name of a name.
        names: variables and attributes that held it.
    """

    op: str
    args: tuple[Value, ...] = ()
    span: Span = (0, 0)
    label: Any = None
    keywords: dict[str, Value] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    _inputs: tuple[Node, ...] | None = None

    def inputs(self) -> tuple[Node, ...]:
        """Return the nodes that it is made of, those in containers too. Lists must not change any more."""
        if self._inputs is None:
            self._inputs = tuple(nodes_in((*self.args, *self.keywords.values())))
        return self._inputs


@dataclass(eq=False, slots=True)
class Seq:
    """A list or a tuple; `fields` are the names of a named tuple's items, or of a data class's."""

    items: list[Value]
    span: Span = (0, 0)
    fields: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class Map:
    """A dictionary with keys that are known."""

    items: dict[Any, Value]


@dataclass(eq=False, slots=True)
class Scope:
    names: dict[str, Value]
    outer: Scope | None = None

    def find(self, name: str) -> Value | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return None


@dataclass(eq=False, slots=True)
class Func:
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    defaults: dict[str, Value]
    owner: Obj | None = None
    home: Class | None = None


@dataclass(eq=False, slots=True)
class Class:
    name: str
    members: dict[str, Value]
    bases: list[Class]
    fields: tuple[str, ...] = ()

    def find(self, name: str) -> tuple[Value, Class] | None:
        waiting, seen = [self], set[int]()
        while waiting:
            kind = waiting.pop(0)
            if name in kind.members:
                return kind.members[name], kind
            if id(kind) not in seen:
                seen.add(id(kind))
                waiting = [*kind.bases, *waiting]
        return None


@dataclass(eq=False, slots=True)
class Obj:
    """An object of a class of the file."""

    kind: Class
    attributes: dict[str, Value]
    span: Span = (0, 0)


@dataclass(eq=False, slots=True)
class Super:
    owner: Obj
    home: Class


Value = Const | Node | Seq | Map | Func | Class | Obj | Super
NONE = Const(None)


def nodes_in(values: Iterable[Value]) -> Iterator[Node]:
    waiting, seen = list(values), set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Node):
            yield value
        elif id(value) in seen:
            continue  # a list may hold itself
        seen.add(id(value))
        if isinstance(value, Seq):
            waiting += value.items
        elif isinstance(value, Map):
            waiting += value.items.values()


def reachable_nodes(roots: Iterable[Value]) -> list[Node]:
    """Return the nodes that values are made of, themselves included, each once."""
    nodes: dict[int, Node] = {}
    waiting = list(nodes_in(roots))
    while waiting:
        node = waiting.pop()
        if id(node) not in nodes:
            nodes[id(node)] = node
            waiting += node.inputs()
    return list(nodes.values())


def add_name(value: Value, name: str) -> None:
    """Remember that a variable or an attribute held a value."""
    if isinstance(value, Node) and len(value.names) < 8 and name not in value.names:
        value.names.append(name)
