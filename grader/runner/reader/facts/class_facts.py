"""Finds facts about the class in the source: how it is constructed, where it reads the global ``x``, near misses."""

import ast
import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from scopes import FUNCTIONS, last_name
from supplied_cell import CELL

from reader.facts.spelling import skeleton
from reader.plan.imports import Imports
from reader.plan.statement_plan import SUPPLIED, Plan
from reader.plan.statement_rules import CLASS, DEFINITIONS, IMPORTS, Statement, hiding_imports
from reader.plan.superseded import effective_statements

# Reading these of a tensor reads its shape or type, not its numbers.
SHAPE_ATTRIBUTES = frozenset({"shape", "ndim", "dtype", "get_shape"})
SHAPE_FUNCTIONS = frozenset({"len", "shape", "rank", "ndim", "int_shape", "zeros_like", "ones_like"})


@dataclass(frozen=True)
class CallSite:
    """The student's own call of the class, as source text, and the names that its arguments read."""

    args: list[str]
    kwargs: dict[str, str]
    reads: frozenset[str]


def find_call_site(statements: Sequence[Statement], source: str, sizes: Iterable[int]) -> CallSite | None:
    """Find the call that builds the exercise's model: the last whose arguments name one of its sizes, else the last.

    Args:
        sizes: the exercise's own numbers; ``LSTM(8)`` in a training cell is not how the model is built.
    """
    numbers = set(sizes)
    ranks = {
        (_names_a_size(call, numbers), function is None, call.lineno, call.col_offset): (call, function)
        for call, function in _calls(statements, _aliases(statements))
        if not any(isinstance(each, ast.Starred) for each in call.args)
    }
    if not ranks:
        return None
    chosen, function = ranks[max(ranks)]
    constants = _constants_in(function)

    def text(node: ast.expr) -> str:
        if isinstance(node, ast.Name) and node.id in constants:
            return constants[node.id]
        return ast.get_source_segment(source, node) or ""

    arguments = [*chosen.args, *(keyword.value for keyword in chosen.keywords)]
    reads = {node.id for argument in arguments for node in ast.walk(argument) if isinstance(node, ast.Name)}
    return CallSite(
        [text(argument) for argument in chosen.args],
        {keyword.arg: text(keyword.value) for keyword in chosen.keywords if keyword.arg is not None},
        frozenset(reads),
    )


def _aliases(statements: Sequence[Statement]) -> set[str]:
    """Collect names of the class: ``LSTM``, and names assigned to it or from it."""
    same: dict[str, set[str]] = defaultdict(set)
    for statement in statements:
        match statement.node:
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Name(id=value)):
                same[target].add(value)
                same[value].add(target)
    names, waiting = {CLASS}, [CLASS]
    while waiting:
        new = same[waiting.pop()] - names
        names |= new
        waiting += new
    return names


def _calls(statements: Sequence[Statement], names: set[str]) -> Iterator[tuple[ast.Call, ast.AST | None]]:
    """Yield calls of the class, each with the outermost function around it."""
    after_hiding = min(hiding_imports(statements), default=len(statements))
    own_seen = not any(statement.binds_by_import() for statement in statements)
    for index, statement in enumerate(statements):
        binds = not names.isdisjoint(statement.uses.binds)
        own_seen = own_seen or (binds and not statement.binds_by_import())
        for call, function in _calls_in(statement.node, names):
            # After an import of Keras' own LSTM the name means that one.
            if function is not None or (own_seen and index < after_hiding):
                yield call, function


def _calls_in(statement: ast.stmt, names: set[str]) -> Iterator[tuple[ast.Call, ast.AST | None]]:
    stack: list[tuple[ast.AST, ast.AST | None]] = [(statement, None)]
    while stack:
        node, function = stack.pop()
        if isinstance(node, ast.ClassDef) and node.name in names:
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node, function
        if isinstance(node, FUNCTIONS):
            function = function or node
        stack += [(child, function) for child in ast.iter_child_nodes(node)]


def _names_a_size(call: ast.Call, numbers: set[int]) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id in SUPPLIED)
        or (isinstance(node, ast.Constant) and type(node.value) is int and node.value in numbers)
        for node in ast.walk(call)
    )


def _constants_in(function: ast.AST | None) -> dict[str, str]:
    """Map local names of a function that stand for one number: the module has no such names."""
    constants: dict[str, str] = {}
    for node in ast.walk(function) if function is not None else ():
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=int(number))):
                constants[name] = str(number)
    return constants


def global_x(plan: Plan) -> list[dict[str, object]]:
    """List lines on which a function that the class uses reads the module's ``x``, and whether only its shape."""
    for statement in plan.statements:
        if isinstance(statement.node, (*DEFINITIONS, *IMPORTS)) and "x" in statement.uses.binds:
            return []  # another thing by that name
    lines: dict[int, bool] = {}
    for statement in effective_statements(plan):
        reads = statement.uses.late_reads.get("x", [])
        if not reads:
            continue
        parents = {child: node for node in ast.walk(statement.node) for child in ast.iter_child_nodes(node)}
        for read in reads:
            lines[read.lineno] = lines.get(read.lineno, True) and _reads_shape(read, parents)
    return [{"line": line, "shape_only": lines[line]} for line in sorted(lines)]


def _reads_shape(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    parent = parents.get(node)
    while isinstance(parent, ast.Subscript) and parent.value is node:
        node, parent = parent, parents.get(parent)
    if isinstance(parent, ast.Attribute):
        return parent.attr in SHAPE_ATTRIBUTES
    if isinstance(parent, ast.Call) and node in parent.args:
        return last_name(parent.func) in SHAPE_FUNCTIONS
    return False


LOOPS = frozenset({"while_loop", "scan", "map_fn", "foldl", "TimeDistributed"})
READY_MADE = frozenset({"LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "LSTMCell", "GRUCell"})


def near_class(tree: ast.Module) -> tuple[str, int] | None:
    """Find a class that was probably meant to be ``LSTM``, and its line."""
    best: tuple[float, str, int] | None = None
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            name = skeleton(node.name).lower().replace("_", "")
            likeness = 1.0 if "lstm" in name else difflib.SequenceMatcher(None, name, "lstm").ratio()
            if "cell" in name:
                likeness /= 2
            if likeness >= 0.5 and (best is None or likeness >= best[0]):
                best = (likeness, node.name, node.lineno)
    return best[1:] if best else None


def instead_of_class(tree: ast.Module) -> tuple[str, str, int] | None:
    """Find what stands in place of a class.

    Returns: ``function`` or ``ready_made``; the name of a function with the steps of an LSTM, or of a layer; its line.
    """
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and "lstm" in node.name.lower() and any(map(_is_loop, ast.walk(node))):
            return "function", node.name, node.lineno
    calls = (node for node in nodes if isinstance(node, ast.Call))
    layers = ((last_name(call.func), call.lineno) for call in calls)
    return next((("ready_made", name, line) for name, line in layers if name in READY_MADE - {CELL}), None)


def _is_loop(node: ast.AST) -> bool:
    return isinstance(node, ast.For | ast.While | ast.comprehension)


def kind_of_class(tree: ast.Module, line: int) -> str | None:
    """Tell why a class of a near name is not the one under another name; None where it may be one.

    Returns: ``torch`` for one of PyTorch; ``other_class`` for one without a `call`, or without any loop in it and the
    classes beside it, or around a ready-made recurrent layer.
    """
    kind = next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.lineno == line)
    if any(ast.unparse(base).rpartition(".")[0] in ("nn", "torch.nn") for base in kind.bases):
        return "torch"
    # A decorator may add a method from outside, as in Dive into Deep Learning.
    added = [
        each
        for each in tree.body
        if isinstance(each, ast.FunctionDef) and any(kind.name in ast.unparse(mark) for mark in each.decorator_list)
    ]
    nodes = [node for part in (kind, *added) for node in ast.walk(part)]
    has_call = any(isinstance(node, ast.FunctionDef) and node.name in ("call", "forward") for node in nodes)
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    supplied = frozenset() if CELL in Imports(ast.walk(tree)) else {CELL}
    names |= {node.id for node in nodes if isinstance(node, ast.Name)} - supplied
    has_loop = any(map(_is_loop, nodes)) or names & LOOPS
    is_misspelt = kind.name.lower() == "lstm"
    return None if is_misspelt or (has_call and has_loop and not names & READY_MADE) else "other_class"
