"""Classifies top-level statements, before the plan decides whether the class needs them."""

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from scopes import NameUses, is_main_guard, name_uses, names_bound_by, root_name

from reader.plan.imports import Imports, is_from_keras, may_bring

CLASS = "LSTM"
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)
SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr)
# Methods that train, measure or show a model: calling one on something that the class needs does not make the class.
USING = re.compile(
    r"fit\w*|\w+_on_batch|evaluate\w*|predict\w*|summary|compile|save\w*|plot\w*|show|head|info|describe"
)
MUTATING = re.compile(r"append|extend|insert|add|update|setdefault|pop|remove|clear|sort|reverse|assign")
CONFIGURES = re.compile(
    r"(?:.*\.)?(?:set_\w+|enable_\w+|disable_\w+|run_functions_eagerly|filterwarnings|simplefilter|seed|setrecursionlimit"
    r"|clear_session)"
    r"|tensorflow\.(?:config|compat\.v1|keras\.backend|keras\.config|keras\.mixed_precision)\..*|keras\.(?:backend|config)\..*"
)
SETTERS = frozenset({"setattr", "delattr"})
NAMESPACES = frozenset({"globals", "locals", "vars"})
EXITS = re.compile(r"sys\.exit|os\._exit|os\.abort|os\.kill|os\.killpg|signal\.raise_signal")
ACTS_ON_SYSTEM = re.compile(
    r"os\.(?:system|popen|exec\w+|spawn\w+|posix_spawn\w*|fork\w*|remove|unlink|rmdir|removedirs|rename\w*|replace|chmod|chown"
    r"|symlink|link|mkfifo|setuid|setgid)|subprocess\..*|socket\..*|shutil\.(?:rmtree|move|copy\w*)|ctypes\..*|pty\..*"
)
TF1_ONLY = re.compile(
    r"tensorflow\.(?:placeholder|Session|InteractiveSession|get_variable|variable_scope|global_variables_initializer"
    r"|ConfigProto|contrib|layers|app)(?:\..*)?"
)
# Folders of a notebook's own files; writing anywhere else is not about the exercise.
OWN_FOLDERS = ("/content", "/kaggle", "/root", "/home", "/drive", "/gdrive", "/mnt")


@dataclass
class Statement:
    """One top-level statement with the facts that the rules need."""

    node: ast.stmt
    uses: NameUses
    calls: list[ast.Call] = field(default_factory=list)
    stores_into: set[str] = field(default_factory=set)  # roots of `a.b = ...`, `a[0] = ...`
    changes: set[str] = field(default_factory=set)  # roots of `a.append(...)`, `setattr(a, ...)`, `fill(a)`
    called_functions: set[str] = field(default_factory=set)  # names of functions that it calls

    @property
    def first_line(self) -> int:
        decorators: list[ast.expr] = getattr(self.node, "decorator_list", [])
        return min([self.node.lineno, *(decorator.lineno for decorator in decorators)])

    @property
    def last_line(self) -> int:
        return self.node.end_lineno or self.node.lineno

    def is_import(self) -> bool:
        """Return whether it is an import, or an ``if`` or ``try`` around one."""
        if isinstance(self.node, ast.If | ast.Try):
            return not self.is_main_guard() and any(isinstance(node, IMPORTS) for node in self.uses.nodes)
        return isinstance(self.node, IMPORTS)

    def is_main_guard(self) -> bool:
        return is_main_guard(self.node)

    def has_no_effect(self) -> bool:
        if isinstance(self.node, ast.Expr):
            return isinstance(self.node.value, ast.Constant | ast.Name)
        return isinstance(self.node, ast.Pass)

    def binds_by_import(self) -> bool:
        """Return whether only imports bind the class here."""
        binding = [node for node in self.uses.nodes if CLASS in names_bound_by(node) or may_bring(node, CLASS)]
        return bool(binding) and all(isinstance(node, IMPORTS) for node in binding)

    def binds_by_keras_import(self) -> bool:
        return self.binds_by_import() and any(is_from_keras(node) for node in self.uses.nodes if may_bring(node, CLASS))

    def shell_code(self) -> tuple[str, str] | None:
        """Return ``shell_line`` or ``magic``, and its text, when IPython made the statement from one."""
        match getattr(self.node, "value", None):
            case ast.Call(ast.Attribute(ast.Call(ast.Name("get_ipython")), name), args):
                texts = [each.value for each in args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
                if name in ("system", "getoutput"):
                    return "shell_line", "!" + "".join(texts[:1])
                return "magic", "%" + texts[0] if texts else "?"
        return None


def statements_of(tree: ast.Module) -> list[Statement]:
    statements = [Statement(node, name_uses(node)) for node in tree.body]
    mutators = {
        s.node.name
        for s in statements
        if isinstance(s.node, ast.FunctionDef | ast.AsyncFunctionDef) and _changes_a_parameter(s.node)
    }
    for statement in statements:
        alone = {id(node.value) for node in statement.uses.nodes if isinstance(node, ast.Expr)}
        statement.stores_into = _stored_into(statement.uses.nodes)
        for node in statement.uses.nodes:
            if isinstance(node, ast.Call):
                statement.calls.append(node)
                statement.changes |= _changed_by(node, mutators, alone=id(node) in alone)
                if isinstance(node.func, ast.Name):
                    statement.called_functions.add(node.func.id)
    return statements


def hiding_imports(statements: Sequence[Statement]) -> set[int]:
    """Find imports of Keras' own LSTM below the student's class: when run, they would hide the class.

    A later cell that trains another model does this, in a notebook where the class was used before.
    """
    own_seen, hiding = False, set()
    for index, statement in enumerate(statements):
        brings = statement.binds_by_import()
        if own_seen and brings and isinstance(statement.node, IMPORTS):
            hiding.add(index)
        own_seen = own_seen or (CLASS in statement.uses.binds and not brings)
    return hiding


def _stored_into(nodes: Iterable[ast.AST]) -> set[str]:
    """Collect the roots of ``a.b = ...`` and ``a[0] = ...``."""
    places = (node for node in nodes if isinstance(node, ast.Attribute | ast.Subscript))
    return {root for node in places if not isinstance(node.ctx, ast.Load) and (root := root_name(node)) is not None}


def _changed_by(call: ast.Call, mutators: set[str], *, alone: bool) -> set[str]:
    """Collect names whose objects a call may change: of the object that owns the method, or of the arguments.

    Args:
        mutators: functions of the file that change their arguments.
        alone: the call is a statement, so its value is not its purpose.
    """
    function, roots = call.func, {root for argument in call.args if (root := root_name(argument)) is not None}
    if isinstance(function, ast.Attribute):
        owner = root_name(function)
        if function.attr == "shuffle":
            return roots
        changes = MUTATING.fullmatch(function.attr) or (alone and not USING.fullmatch(function.attr))
        return {owner} if owner is not None and changes else set()
    if isinstance(function, ast.Name) and function.id in SETTERS:
        first = root_name(call.args[0]) if call.args else None
        return {first} if first is not None else set()
    return roots if isinstance(function, ast.Name) and function.id in mutators else set()


def _changes_a_parameter(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = function.args
    nodes = list(ast.walk(function))
    changed = _stored_into(nodes)
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        changed |= _changed_by(call, set(), alone=False)
    return any(each.arg in changed for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs))


def is_configuration(statement: Statement, imports: Imports) -> bool:
    """Return whether it is a lone call that sets something up, and no more."""
    call = getattr(statement.node, "value", None)
    if not isinstance(statement.node, ast.Expr) or not isinstance(call, ast.Call):
        return False
    dotted, root = imports.dotted(call.func) or "", root_name(call.func) or ""
    return imports.is_core(root) and CONFIGURES.fullmatch(dotted) is not None


def is_patch(statement: Statement, imports: Imports, defined: set[str]) -> bool:
    """Return whether it stores into a class, a function or a module: ``LSTM.call = f``, ``np.abs = g``."""
    if statement.is_main_guard():
        return False
    setters = (call for call in statement.calls if isinstance(call.func, ast.Name) and call.func.id in SETTERS)
    roots = statement.stores_into | {root_name(call.args[0]) or "" for call in setters if call.args}
    return any(root in defined or (root in imports and imports.is_core(root)) for root in roots)


def may_bind_dynamically(nodes: Iterable[ast.AST], names: set[str], imports: Imports) -> bool:
    """Return whether ``exec``, ``globals()`` and the like could bind one of `names` in the module."""
    for node in nodes:
        match node:
            case ast.Call(func=ast.Name(id="exec" | "eval"), args=[first, *others]):
                if not _has_own_names(others) and (not isinstance(first, ast.Constant) or _mentions(first, names)):
                    return True
            case ast.Subscript(value=ast.Call(func=ast.Name(id=name)), slice=key, ctx=ast.Store()):
                if name in NAMESPACES and _may_be_one(key, names):
                    return True
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id=name)), attr="update" | "setdefault")):
                if name in NAMESPACES:
                    return True
            case ast.Call(func=ast.Name(id="setattr"), args=[target, key, *_]):
                if _is_module_itself(target, imports) and _may_be_one(key, names):
                    return True
            case ast.Attribute(value=target, attr=name, ctx=ast.Store()):
                if name in names and _is_module_itself(target, imports):
                    return True
    return False


def _may_be_one(key: ast.expr, names: set[str]) -> bool:
    return not isinstance(key, ast.Constant) or key.value in names


def _has_own_names(others: Sequence[ast.expr]) -> bool:
    """Return whether these arguments of ``exec`` begin with a new empty dictionary: it then binds nothing here."""
    names = others[0] if others else None
    names = names.value if isinstance(names, ast.NamedExpr) else names
    return isinstance(names, ast.Dict) and not names.keys


def _mentions(node: ast.Constant, names: set[str]) -> bool:
    text = node.value.decode("utf-8", "replace") if isinstance(node.value, bytes) else node.value
    return isinstance(text, str) and not names.isdisjoint(re.findall(r"\w+", text))


def _is_module_itself(node: ast.AST, imports: Imports) -> bool:
    """Return whether a node gives the running module: ``sys.modules[...]``, ``import_module(...)`` and others."""
    if isinstance(node, ast.Subscript):
        return imports.dotted(node.value) == "sys.modules" or isinstance(node.value, ast.Name)
    return isinstance(node, ast.Call) or imports.dotted(node) == "__main__"


def script_effect(statement: Statement, imports: Imports) -> str | None:
    """Return why a script's statement is run though the class does not need it: its effect was handed in too.

    In a notebook every cell stands alone, and ``exit()`` or ``os.kill`` is a way to restart Colab.
    """
    node = statement.node
    dotted = {imports.dotted(n) or "" for n in statement.uses.nodes if isinstance(n, ast.Attribute | ast.Name)}
    if any(TF1_ONLY.fullmatch(name) for name in dotted):
        return "tf1_api"
    match node:
        case ast.Raise(exc=ast.Call(func=ast.Name(id="SystemExit")) | ast.Name(id="SystemExit")):
            return "exits"
        case ast.Expr() | ast.Assign():
            pass
        case _:
            return None
    called = {imports.dotted(call.func) or "" for call in statement.calls}
    if any(EXITS.fullmatch(name) for name in called) or not {"exit", "quit"}.isdisjoint(statement.called_functions):
        return "exits"
    if any(ACTS_ON_SYSTEM.fullmatch(name) for name in called) or any(map(_writes_elsewhere, statement.calls)):
        return "acts_on_system"
    return None


def _writes_elsewhere(call: ast.Call) -> bool:
    match call:
        case ast.Call(
            func=ast.Name(id="open"), args=[ast.Constant(value=str(path)), ast.Constant(value=str(mode)), *_]
        ):
            return path.startswith("/") and not path.startswith(OWN_FOLDERS) and bool(set("wax+") & set(mode))
    return False
