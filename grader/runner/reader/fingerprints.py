"""Fingerprints of the code that the class needs, by which attempts are compared: as it is written, and in normal form.

The normal form has no names of the student's own, no comments, docstrings, annotations or prints, and its statements
have only the order that their reads and writes ask for. A name is told from others by the places in which it stands,
refined in rounds, as Weisfeiler and Leman do for the nodes of a graph. So renaming changes nothing, and exchanging two
names that play different parts does.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scopes import COMPREHENSIONS, FUNCTIONS, bound_names
from supplied_cell import CELL, SUPPLIED_CELL

from reader.module_text import Module
from reader.plan.imports import Imports
from reader.plan.statement_plan import SUPPLIED
from reader.plan.statement_rules import CLASS, DEFINITIONS, IMPORTS, Statement

# The class with its cell has 500 nodes. Beyond this, code is not compared.
MOST_NODES = 20_000
# In classes of the exercise's size, later rounds tell no more names apart.
ROUNDS = 4
HASH_BYTES = 16
#: Fields of the syntax tree that say nothing about what the code does.
SILENT = frozenset({"ctx", "annotation", "returns", "type_comment", "type_params", "kind"})
SCOPES = (*FUNCTIONS, *COMPREHENSIONS)
#: Methods that Keras calls by their names.
CALLED_BY_KERAS = frozenset({"call", "build"})
PRINTS = frozenset({"print", "tensorflow.print"})
#: Pasted without the course's cell, the class reads the same names.
GIVEN = list(ast.walk(ast.parse(SUPPLIED_CELL)))
ENDINGS = (ast.Return, ast.Raise, ast.Break, ast.Continue, ast.Yield, ast.YieldFrom)

#: A name of the student's own: its scope and its text.
Name = tuple[str, str]
ATTRIBUTE, MODULE = "attribute", "module"


def fingerprints(module: Module) -> list[dict[str, Any]]:
    """Return ``text`` and ``form``, hashes in hex, and the number of ``statements``, for each top-level statement.

    Left out are statements that the class does not need, imports, and names that every submission is given.
    """
    plan, lines = module.plan, module.source.split("\n")
    core = [statement for statement in plan.core_statements() if not _is_given(statement)]
    nodes = [node for statement in core for node in ast.walk(statement.node)]
    if len(nodes) > MOST_NODES:
        return []
    attributes = frozenset(_own_attributes([*nodes, *GIVEN]))
    globals = frozenset(name for each in plan.statements if not each.is_import() for name in each.uses.binds)
    if CELL not in plan.imports:
        globals |= {CELL}
    prints = []
    for statement in core:
        form = _Form(plan.imports, attributes, globals - {CLASS} - SUPPLIED)
        block = form.block([statement.node])
        written = (" ".join(line.split()) for line in lines[statement.first_line - 1 : statement.last_line])
        text = _hash("\n".join(filter(None, written)).encode())
        prints.append({"text": text.hex(), "form": form.hash(block).hex(), "statements": len(form.steps)})
    return prints


def _is_given(statement: Statement) -> bool:
    return isinstance(statement.node, IMPORTS) or (bool(statement.uses.binds) and statement.uses.binds <= SUPPLIED)


def _own_attributes(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names of attributes and methods that the code defines, except those that Python or Keras looks for."""
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.ClassDef):
            assigned = (target for each in node.body if isinstance(each, ast.Assign) for target in each.targets)
            names = bound_names([*node.body, *assigned]) - CALLED_BY_KERAS
            yield from (name for name in names if not name.startswith("__"))


def _hash(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"".join(parts), digest_size=HASH_BYTES).digest()


@dataclass(eq=False)
class _Step:
    """A statement without names, its own names in their order, and the statements of each block inside it.

    Attributes:
        uses: names that it reads or writes when it is run.
        keeps_place: it may not be moved past any other statement.
    """

    tokens: list[str] = field(default_factory=list)
    names: list[Name] = field(default_factory=list)
    blocks: list[list[_Step]] = field(default_factory=list)
    uses: set[Name] = field(default_factory=set)
    writes: set[Name] = field(default_factory=set)
    keeps_place: bool = False

    def hash(self, colours: Mapping[Name, bytes]) -> bytes:
        return _hash("\0".join(self.tokens).encode(), b"\0", *(colours[name] for name in self.names))


class _Form:
    """Takes one top-level statement apart into steps, and reduces these to a hash.

    Args:
        attributes, globals: names that the student's code defines.
    """

    def __init__(self, imports: Imports, attributes: Collection[str], globals: Collection[str]) -> None:
        self._imports = imports
        self._attributes = attributes
        self._globals = globals
        self._function = ""
        self._locals: Collection[str] = ()
        self._in_class = False
        self.steps: list[_Step] = []

    def block(self, body: Sequence[ast.stmt]) -> list[_Step]:
        return [self._step(node) for node in body if not self._is_silent(node)]

    def _is_silent(self, node: ast.stmt) -> bool:
        if isinstance(node, ast.Expr):
            called = self._full_name(node.value.func) if isinstance(node.value, ast.Call) else None
            return isinstance(node.value, ast.Constant) or called in PRINTS
        if isinstance(node, ast.AnnAssign):
            return node.value is None
        return isinstance(node, (*IMPORTS, ast.Pass, ast.Global, ast.Nonlocal))

    def _step(self, node: ast.stmt) -> _Step:
        step = _Step()
        self.steps.append(step)
        if isinstance(node, DEFINITIONS):
            self._define(node, step)
            return step
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            node = ast.Assign(targets=[node.target], value=node.value)
        self._visit(node, step)
        step.uses.update(step.names)
        for inner in (each for block in step.blocks for each in block):
            step.uses |= inner.uses
            step.writes |= inner.writes
            step.keeps_place |= inner.keeps_place
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            # A lone call changes the object that has the method, or who knows what.
            function = node.value.func
            owner = self._holder(function.value) if isinstance(function, ast.Attribute) else None
            step.writes |= {owner} if owner else set()
            step.keeps_place |= owner is None
        return step

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, step: _Step) -> None:
        """Read a function or a class. Names in its body are used when it is called."""
        name = self._own(node.name)
        step.tokens += [type(node).__name__, "" if name else node.name]
        step.names += [name] if name else []
        step.writes |= {name} if name else set()
        self._visit(node.decorator_list, step)
        with self._inside(node):
            self._visit([*node.bases, *node.keywords] if isinstance(node, ast.ClassDef) else node.args, step)
            step.uses.update(step.names)
            step.blocks.append(self.block(node.body))

    @contextlib.contextmanager
    def _inside(self, node: ast.AST) -> Iterator[None]:
        """Read within the scope of a function or a class. Functions inside another one share its names."""
        before = self._function, self._locals, self._in_class
        if not self._function:
            self._in_class = isinstance(node, ast.ClassDef)
            if not self._in_class:
                inner = list(ast.walk(node))[1:]
                self._function = str(len(self.steps))
                self._locals = bound_names(inner).union(each.arg for each in inner if isinstance(each, ast.arg))
        yield
        self._function, self._locals, self._in_class = before

    def _visit(self, node: object, step: _Step) -> None:
        if isinstance(node, list):
            if node and isinstance(node[0], ast.stmt):
                step.blocks.append(self.block(node))
            else:
                for each in node:
                    self._visit(each, step)
            step.tokens.append("]")
        elif not isinstance(node, ast.AST):
            step.tokens.append(repr(node))
        elif isinstance(node, ast.Name | ast.Attribute) and (known := self._full_name(node)) is not None:
            # However it was imported.
            step.tokens.append(known.rpartition(".")[2])
        else:
            step.tokens.append(type(node).__name__)
            step.keeps_place |= isinstance(node, ENDINGS)
            name = self._name_of(node)
            step.names += [name] if name else []
            if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del) and (holder := self._holder(node)):
                step.writes.add(holder)
            with self._inside(node) if isinstance(node, SCOPES) else contextlib.nullcontext():
                self._parts(node, name, step)

    def _parts(self, node: ast.AST, name: Name | None, step: _Step) -> None:
        if isinstance(node, ast.Call):
            self._visit(node.func, step)
            self._visit(node.args, step)
            # Parameters of the student's functions are the student's names, and so are those of layers.
            is_own = self._holder(node.func) is not None
            for keyword in node.keywords if is_own else sorted(node.keywords, key=lambda each: each.arg or ""):
                if is_own or keyword.arg != "name" or not isinstance(keyword.value, ast.Constant):
                    step.tokens.append(f"{'' if is_own else keyword.arg}=")
                    self._visit(keyword.value, step)
            step.tokens.append(")")
            return
        for key in node._fields:
            if key not in SILENT:
                value = getattr(node, key, None)
                if name is None or not isinstance(value, str):
                    self._visit(value, step)

    def _full_name(self, node: ast.expr) -> str | None:
        """Return the whole name of something imported or built in; None for the student's own and its parts."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name) or self._own(root.id) is not None:
            return None
        return self._imports.dotted(node) or (node.id if isinstance(node, ast.Name) else None)

    def _name_of(self, node: ast.AST) -> Name | None:
        match node:
            case ast.Attribute(attr=text) if text in self._attributes:
                return (ATTRIBUTE, text)
            case ast.Name(id=text) | ast.arg(arg=text) | ast.ExceptHandler(name=str(text)):
                return self._own(text)
        return None

    def _holder(self, node: ast.AST) -> Name | None:
        """Return the name that holds the object: ``a`` of ``a[0]``, ``b`` of ``self.b``."""
        while isinstance(node, ast.Subscript):
            node = node.value
        return self._name_of(node)

    def _own(self, text: str) -> Name | None:
        if text in self._locals:
            return (self._function, text)
        if self._in_class and text in self._attributes:
            return (ATTRIBUTE, text)
        return (MODULE, text) if text in self._globals else None

    def hash(self, block: Sequence[_Step]) -> bytes:
        """Return what these statements are, whatever their names and the order of independent ones."""
        names = {name for step in self.steps for name in step.names}
        colours = {name: name[0].encode() if name[0] in (ATTRIBUTE, MODULE) else b"local" for name in names}
        for _ in range(ROUNDS):
            places: dict[Name, list[bytes]] = defaultdict(list)
            for step in self.steps:
                seen = step.hash(colours)
                for at, name in enumerate(step.names):
                    places[name].append(seen + at.to_bytes(4))
            colours = {name: _hash(colour, *sorted(places[name])) for name, colour in colours.items()}
        return _hash_of_block(block, colours)


def _hash_of_block(block: Sequence[_Step], colours: Mapping[Name, bytes]) -> bytes:
    """Return a hash of the statements, each with those that must come before it."""
    hashes: list[bytes] = []
    writer: dict[Name, int] = {}
    users: dict[Name, list[int]] = defaultdict(list)
    wall: int | None = None
    for at, step in enumerate(block):
        before = {wall} if wall is not None else set()
        if step.keeps_place:
            before.update(range(wall or 0, at))
        for name in step.uses:
            before.update([writer[name]] if name in writer else ())
        for name in step.writes:
            before.update(users[name])
        inner = (_hash_of_block(each, colours) for each in step.blocks)
        hashes.append(_hash(step.hash(colours), *inner, *sorted(hashes[each] for each in before)))
        for name in step.uses - step.writes:
            users[name].append(at)
        for name in step.writes:
            writer[name], users[name] = at, [at]
        wall = at if step.keeps_place else wall
    return _hash(*sorted(hashes))
