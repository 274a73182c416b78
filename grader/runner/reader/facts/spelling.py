"""Finds letters that look Latin but are not, where one keeps a name from being the intended name.

A Russian keyboard has ``с``, ``х`` and ``о``, which look exactly like their Latin twins. Russian names are fine.
A read is reported when nothing is bound under its own spelling, and something nearby is bound under the other one.
"""

import ast
import builtins
import keyword
import re
from collections.abc import Iterable

from scopes import bound_names

from reader.plan.statement_plan import SUPPLIED, Plan
from reader.plan.superseded import effective_statements

CYRILLIC = str.maketrans("асеорхукмтіјѕһвАВСЕНКМОРТХУІЈЅ", "aceopxykmtijshbABCEHKMOPTXYIJS")
GREEK = str.maketrans("ονρχκιΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ovpxkiABEZHIKMNOPTYX")
METHODS = frozenset({"call", "build"})
WORD = re.compile(r"\w+")


def skeleton(name: str) -> str:
    """Return the Latin name that a name looks like."""
    return name if name.isascii() else name.translate(CYRILLIC).translate(GREEK)


def odd_keyword(line: str) -> tuple[str, str] | None:
    """Return the first word of a line that only looks like a word of Python's own, and that word."""
    words = ((word, skeleton(word)) for word in WORD.findall(line) if not word.isascii())
    return next((pair for pair in words if keyword.iskeyword(pair[1])), None)


def homoglyphs(plan: Plan) -> list[dict[str, object]]:
    """List ``name``, ``looks_like`` and the first ``line`` of names mixed up in the class and the code it uses."""
    nodes = [node for statement in effective_statements(plan) for node in ast.walk(statement.node)]
    lines = _first_lines(nodes)
    if all(name.isascii() for name in lines):
        return []
    lookalikes = dict([*_mixed_names(plan, nodes), *_mixed_attributes(nodes), *_mixed_keywords(nodes)])
    return [
        {"name": name, "looks_like": looks_like, "line": lines.get(name, 1)}
        for name, looks_like in sorted(lookalikes.items(), key=lambda pair: lines.get(pair[0], 1))
    ]


def _first_lines(nodes: Iterable[ast.AST]) -> dict[str, int]:
    lines: dict[str, int] = {}
    for node in nodes:
        for key in ("id", "attr", "arg", "name"):
            name = getattr(node, key, None)
            line = getattr(node, "lineno", None)
            if isinstance(name, str) and line is not None:
                lines[name] = min(line, lines.get(name, line))
    return lines


def _pair(first: str, second: str) -> Iterable[tuple[str, str]]:
    """Yield the two as (odd one, what it looks like), when they only look the same."""
    if first != second and skeleton(first) == skeleton(second):
        yield (second, first) if first.isascii() else (first, second)


def _mixed_names(plan: Plan, nodes: list[ast.AST]) -> Iterable[tuple[str, str]]:
    """Yield reads that leave the function though a local name looks the same, and reads of unbound names."""
    from_module = {
        id(read)
        for statement in effective_statements(plan)
        for reads in statement.uses.late_reads.values()
        for read in reads
    }
    for node in nodes:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        inside = list(ast.walk(node))
        yield from _values_never_read(inside)
        local = {skeleton(name): name for name in bound_names(inside[1:])}
        local |= {skeleton(part.arg): part.arg for part in inside if isinstance(part, ast.arg)}
        for read in inside:
            if isinstance(read, ast.Name) and id(read) in from_module:
                yield from _pair(read.id, local.get(skeleton(read.id), read.id))
    bound = {name for statement in plan.statements for name in statement.uses.binds} | SUPPLIED | {"np", "tf"}
    known = {skeleton(name): name for name in [*dir(builtins), *bound]}
    for statement in effective_statements(plan):
        for name in statement.uses.all_reads() - bound:
            if not name.isascii() and skeleton(name) in known:
                yield from _pair(name, known[skeleton(name)])


def _values_never_read(inside: list[ast.AST]) -> Iterable[tuple[str, str]]:
    """Yield names that a function binds and never reads, while it reads one that looks the same."""
    names = [node for node in inside if isinstance(node, ast.Name)]
    read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    by_look = {skeleton(name): name for name in read}
    for name in sorted({node.id for node in names if isinstance(node.ctx, ast.Store)} - read):
        yield from _pair(name, by_look.get(skeleton(name), name))


def _mixed_attributes(nodes: list[ast.AST]) -> Iterable[tuple[str, str]]:
    """Yield attributes stored under one spelling and read under the other, and methods that Keras will not find."""
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    stored = {node.attr for node in attributes if isinstance(node.ctx, ast.Store)}
    read = {node.attr for node in attributes if isinstance(node.ctx, ast.Load)}
    methods = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    by_look = {skeleton(name): name for name in [*read, *stored, *methods]}
    for name in read - stored - methods:
        looks_like = by_look[skeleton(name)]
        if not (name.isascii() and looks_like.isascii()):
            yield from _pair(name, looks_like)
    for name in methods:
        if not name.isascii() and skeleton(name) in METHODS:
            yield name, skeleton(name)


def _mixed_keywords(nodes: list[ast.AST]) -> Iterable[tuple[str, str]]:
    """Yield keyword arguments of other people's functions, which have no Russian names."""
    own = {node.arg for node in nodes if isinstance(node, ast.arg)}
    for node in nodes:
        name = node.arg if isinstance(node, ast.keyword) else None
        if name is not None and name not in own and not name.isascii() and skeleton(name).isascii():
            yield name, skeleton(name)
