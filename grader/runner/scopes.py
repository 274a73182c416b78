"""Finds the names of the module that a statement reads and binds, by Python's own rules for scopes.

`symtable` knows the same, but refuses code that a notebook allows (``await`` outside functions) and does not say where
a name is read. Every walk here keeps its own lists, so that deep nesting cannot exhaust Python's stack.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
Reads = dict[str, list[ast.Name]]


@dataclass
class NameUses:
    """Uses of the module's names by one top-level statement.

    `late_reads` and `late_binds` happen when a function of the statement is called, the others when it is run. `nodes`
    are the nodes that run with it in the module's own scope: no bodies of functions, classes or comprehensions.
    """

    reads: Reads = field(default_factory=lambda: defaultdict(list))
    late_reads: Reads = field(default_factory=lambda: defaultdict(list))
    binds: set[str] = field(default_factory=set)
    late_binds: set[str] = field(default_factory=set)
    nodes: list[ast.AST] = field(default_factory=list)

    def all_reads(self) -> set[str]:
        return set(self.reads) | set(self.late_reads)


@dataclass(frozen=True)
class _Scope:
    kind: str  # "module", "function", "class" or "comprehension"
    roots: list[ast.AST]
    parameters: frozenset[str]
    enclosing: frozenset[str]  # local names of the functions around it
    late: bool


def name_uses(statement: ast.stmt) -> NameUses:
    uses = NameUses()
    waiting = [_Scope("module", [statement], frozenset(), frozenset(), late=False)]
    while waiting:
        scope = waiting.pop()
        nodes, inner = _nodes_of(scope.roots)
        if scope.kind == "module":
            uses.nodes = nodes
        waiting += _resolve(scope, nodes, inner, uses)
    return uses


def _resolve(scope: _Scope, nodes: list[ast.AST], inner: list[ast.AST], uses: NameUses) -> list[_Scope]:
    """Record a scope's effects on the module's names, and return the scopes inside it."""
    as_global = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    bound = bound_names(nodes) | {name for node in inner for name in _walrus_names(node)}
    if scope.kind == "comprehension":
        bound -= {n.target.id for n in nodes if isinstance(n, ast.NamedExpr) and isinstance(n.target, ast.Name)}
    reads = uses.late_reads if scope.late else uses.reads
    if scope.kind in ("module", "class"):
        # A class body looks in the module for names it has not bound yet.
        local: set[str] = set()
        to_module = bound if scope.kind == "module" else bound & as_global
    else:
        local = (bound | scope.parameters) - as_global
        to_module = bound & as_global
    (uses.late_binds if scope.late else uses.binds).update(to_module)
    hidden = (scope.enclosing - as_global) | local
    for node in nodes:
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id not in hidden:
            reads[node.target.id].append(node.target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in hidden:
            reads[node.id].append(node)
    return [_scope_of(node, frozenset(hidden), scope.late) for node in inner]


def _scope_of(node: ast.AST, enclosing: frozenset[str], late: bool) -> _Scope:
    type_parameters = frozenset(name for p in getattr(node, "type_params", []) if isinstance(name := p.name, str))
    if isinstance(node, FUNCTIONS):
        body = [node.body] if isinstance(node, ast.Lambda) else list(node.body)
        parameters = {each.arg for each in arguments_of(node.args)}
        return _Scope("function", list[ast.AST](body), type_parameters | parameters, enclosing, late=True)
    if isinstance(node, ast.ClassDef):
        return _Scope("class", list(node.body), frozenset(), enclosing | type_parameters, late)
    assert isinstance(node, COMPREHENSIONS)
    first = node.generators[0]
    elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    # The first iterable is computed outside, with the names of that scope.
    roots = [*elements, first.target, *first.ifs, *node.generators[1:]]
    return _Scope("comprehension", roots, frozenset(), enclosing, late)


def _nodes_of(roots: Iterable[ast.AST]) -> tuple[list[ast.AST], list[ast.AST]]:
    """Return the nodes of one scope, in no order, and the ones among them that open another scope."""
    nodes: list[ast.AST] = []
    inner: list[ast.AST] = []
    stack = list(roots)
    while stack:
        node = stack.pop()
        nodes.append(node)
        if isinstance(node, FUNCTIONS):
            inner.append(node)
            stack += [default for _, default in defaults_of(node.args)]
            if not isinstance(node, ast.Lambda):
                annotations = (node.returns, *(each.annotation for each in arguments_of(node.args)))
                stack += [*node.decorator_list, *filter(None, annotations)]
        elif isinstance(node, ast.ClassDef):
            inner.append(node)
            stack += [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, COMPREHENSIONS):
            inner.append(node)
            stack.append(node.generators[0].iter)
        else:
            stack += ast.iter_child_nodes(node)
            stack += _code_in(node)
    return nodes, inner


def _code_in(node: ast.AST) -> list[ast.stmt]:
    """Return the statements of ``exec("...")``, which read and bind names as if they stood in its place.

    The reader makes ``exec(code and "...")`` of ``exec(code)``, where it knows the text.
    """
    match node:
        case (
            ast.Call(func=ast.Name(id="exec"), args=[ast.Constant(value=str(text)), *_])
            | ast.Call(
                func=ast.Name(id="exec"), args=[ast.BoolOp(ast.And(), [ast.Name(), ast.Constant(value=str(text))]), *_]
            )
        ):
            try:
                module = ast.parse(text)
            except (SyntaxError, ValueError):
                return []
            for inner in ast.walk(module):
                ast.copy_location(inner, node)
            return module.body
    return []


def _walrus_names(node: ast.AST) -> set[str]:
    """Collect names that ``:=`` inside a comprehension binds around it."""
    if not isinstance(node, COMPREHENSIONS):
        return set()
    names, stack = set(), list(ast.iter_child_nodes(node))
    while stack:
        child = stack.pop()
        if isinstance(child, FUNCTIONS):
            continue
        if isinstance(child, ast.NamedExpr) and isinstance(child.target, ast.Name):
            names.add(child.target.id)
        stack += ast.iter_child_nodes(child)
    return names


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Collect names that the nodes of one scope bind (deleting one does not)."""
    return {name for node in nodes for name in names_bound_by(node)}


def names_bound_by(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(ctx=ast.Store()):
            return [node.id]
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Import() | ast.ImportFrom():
            return [alias.asname or alias.name.partition(".")[0] for alias in node.names if alias.name != "*"]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return [name]
        case ast.MatchMapping(rest=str(name)):
            return [name]
    return []


def arguments_of(given: ast.arguments) -> list[ast.arg]:
    stars = (each for each in (given.vararg, given.kwarg) if each is not None)
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *stars]


def defaults_of(given: ast.arguments) -> list[tuple[str, ast.expr]]:
    """Return the parameters that have a default, each with it."""
    plain = zip(reversed([*given.posonlyargs, *given.args]), reversed(given.defaults), strict=False)
    by_name = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return [(part.arg, default) for part, default in (*plain, *by_name) if default is not None]


def is_main_guard(node: ast.AST) -> bool:
    """Return whether it is ``if __name__ == "__main__":``."""
    names = ast.walk(node.test) if isinstance(node, ast.If) else ()
    return any(isinstance(each, ast.Name) and each.id == "__name__" for each in names)


def last_name(node: ast.AST) -> str | None:
    """Return ``c`` of ``a.b.c``, and ``a`` of ``a``."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def root_name(node: ast.AST) -> str | None:
    """Return ``a`` of ``a.b[0].c``; None when the chain does not begin with a name."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
