"""Decides from the source whether calling the student's layers leaves anything behind but the answer.

Before the first call of a model Keras 3 traces its `call` symbolically, twice, to build the layers in it. Where a call
only computes, that trace can be left out: the layers build themselves in the call that follows. Where a call writes an
attribute, makes a layer, draws a random number or prints, an extra call can be noticed, so Keras traces as usual. In
doubt the answer is no, which costs only time.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from scopes import FUNCTIONS, root_name

from reader.plan.statement_plan import Plan

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

# Writes in these belong to setting up a layer. Keras calls `build` itself, and does not trace it.
SETTING_UP = frozenset({"__init__", "build"})
DECORATORS = frozenset({"property", "staticmethod", "classmethod", "tf.function"})
# The only classes that may be named: they draw no random numbers, count nothing and keep nothing between calls.
HARMLESS_CLASSES = frozenset(
    {
        *("LSTM", "LSTMCell", "Model", "Layer", "Module", "Dense", "Activation", "Add", "Multiply", "Concatenate"),
        *("TensorArray", "TensorShape", "Tensor", "Any", "Dict", "List", "Optional", "Sequence", "Tuple", "Union"),
    }
)
# Names that distinguish a trace from a call, count calls, or change state that outlives them.
TELLING = re.compile(
    r"\w*(?:random|shuffle|dropout|noise|print)\w*|executing_eagerly|inside_function|is_keras_tensor|is_symbolic\w*|layers"
    r"|seed|perf_counter\w*|time_ns|process_time|datetime|build|built|__(?!init__|call__)\w+__|(?:numpy|py)_function|variables?"
    r"|(?:add|load|set)_\w+|get_weights|assign\w*|compat|copyto|tf1",
    re.IGNORECASE,
)
# Likewise, unless the function binds that name itself.
TELLING_BUILTINS = frozenset(
    {
        *("input", "open", "exec", "eval", "compile", "id", "next", "iter", "getattr", "setattr", "delattr"),
        *("vars", "globals", "locals", "breakpoint", "exit", "quit", "map", "filter", "time", "os", "sys", "gc"),
        *("inspect", "itertools", "functools", "logging", "warnings", "random"),
    }
)
MUTATING = frozenset(
    {
        *("append", "appendleft", "extend", "insert", "add", "update", "setdefault", "pop", "popleft", "popitem"),
        *("remove", "discard", "clear", "sort", "reverse", "fill", "put", "itemset", "resize", "write", "scatter"),
        *("unstack", "send", "throw", "close"),
    }
)
LIBRARIES = frozenset({"tf", "np", "keras", "K"})
CONTAINERS = (ast.List, ast.ListComp, ast.Dict, ast.DictComp, ast.Set, ast.SetComp)
STATEMENTS = (
    *(ast.Global, ast.Nonlocal, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Await, ast.Yield, ast.YieldFrom),
    *(ast.With, ast.AsyncWith, ast.AsyncFor, ast.Delete, ast.NamedExpr),
)


def only_computes(plan: Plan) -> bool:
    """Return whether no function of the student's that a call may reach has an effect visible afterwards."""
    nodes = [node for statement in plan.core_statements() for node in ast.walk(statement.node)]
    own = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    # Functions that are defined in those that set up a layer may be called later.
    functions = (node for node in nodes if isinstance(node, FUNCTIONS) and not _sets_up(node))
    return all(_is_harmless(name, own) for node in nodes for name in _names(node)) and all(map(_computes, functions))


def _names(node: ast.AST) -> list[str]:
    match node:
        case ast.keyword(arg=str(name)):
            return [name]
        case ast.Name(id=name):
            return [name]
        case ast.Attribute(attr=name):
            return [_of_a_library(name)]
        case ast.ImportFrom(names=aliases):
            return [_of_a_library(alias.name) for alias in aliases]
    return []


def _of_a_library(name: str) -> str:
    """Return a library's name for something: ``keras.layers.LSTM`` is not the student's ``LSTM``."""
    return "RNN" if name in ("LSTM", "LSTMCell") else name


def _is_harmless(name: str, own: set[str]) -> bool:
    """Return whether a name cannot be a class that keeps state. A name all in capitals is a constant.

    A variable made in a trace reads its `trainable` from a later moment than one made in a call.
    """
    if name == "trainable":
        return False
    is_class = name[:1].isupper() and (not name.isupper() or name in ("GRU", "RNN"))
    return not is_class or name in HARMLESS_CLASSES or name in own or name.endswith("Error")


def _sets_up(function: Function) -> bool:
    return isinstance(function, ast.FunctionDef) and function.name in SETTING_UP


def _computes(function: Function) -> bool:
    if isinstance(function, ast.AsyncFunctionDef):
        return False
    if isinstance(function, ast.FunctionDef) and not {*map(ast.unparse, function.decorator_list)} <= DECORATORS:
        return False
    parts = [function.body] if isinstance(function, ast.Lambda) else function.body
    nodes = [node for part in parts for node in ast.walk(part)]
    names = _Names(function, nodes)
    return all(_node_computes(node, names) for node in nodes)


class _Names:
    """Names that one function binds: `fresh` to containers made in it, `own` to values computed in it."""

    def __init__(self, function: Function, nodes: list[ast.AST]) -> None:
        fresh: dict[str, int] = defaultdict(int)
        computed: dict[str, int] = defaultdict(int)
        stored: dict[str, int] = defaultdict(int)
        for node in nodes:
            match node:
                case ast.Name(id=name, ctx=ast.Store()):
                    stored[name] += 1
                case ast.AugAssign(target=ast.Name(id=name)):
                    stored[name] -= 1
                case ast.Assign(targets=targets, value=value):
                    for name, part in _pairs(targets, value):
                        fresh[name] += _is_new(part)
                        computed[name] += _is_new(part) or isinstance(part, ast.Call | ast.BinOp | ast.Constant)
        parameters = {node.arg for whole in (function, *nodes) for node in ast.walk(whole) if isinstance(node, ast.arg)}
        self.bound = parameters | set(stored)
        self.fresh = {name for name, count in stored.items() if 0 < count == fresh[name]} - parameters
        self.own = {name for name, count in stored.items() if 0 < count == computed[name]} - parameters


def _pairs(targets: list[ast.expr], value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield names and the value assigned to each; for ``h, c = cell(x)`` that is the call."""
    for target in targets:
        if isinstance(target, ast.Name):
            yield target.id, value
        elif isinstance(target, ast.Tuple | ast.List):
            parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value] * len(target.elts)
            if len(parts) == len(target.elts):
                for inner, part in zip(target.elts, parts, strict=True):
                    yield from _pairs([inner], part)


def _is_new(value: ast.expr) -> bool:
    match value:
        case ast.Call(func=ast.Name(id="list" | "dict" | "set")):
            return True
        case ast.Call(func=ast.Attribute(attr="TensorArray" | "write" | "zeros" | "empty" | "ones" | "zeros_like")):
            return True
        case ast.BinOp(left=ast.List(), op=ast.Mult()):
            return True
    return isinstance(value, CONTAINERS)


def _node_computes(node: ast.AST, names: _Names) -> bool:
    if isinstance(node, STATEMENTS):
        return False
    match node:
        case ast.Attribute(ctx=ast.Store()):
            return False
        case ast.Subscript(ctx=ast.Store(), value=value):
            return isinstance(value, ast.Name) and value.id in names.fresh
        case ast.AugAssign(target=ast.Name(id=name)):
            return name in names.own
        case ast.Name(id=name) if name in TELLING_BUILTINS:
            return name in names.bound
        case ast.Name(id=name) | ast.Attribute(attr=name) if TELLING.fullmatch(name):
            return False
        case ast.keyword(arg="out" | "training"):
            return False
        case ast.Call(func=ast.Attribute(attr=method, value=value)) if method in MUTATING:
            return (isinstance(value, ast.Name) and value.id in names.fresh) or root_name(value) in LIBRARIES
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name[:1].isupper():
            return name == "TensorArray" or name.endswith("Error")
    return True
