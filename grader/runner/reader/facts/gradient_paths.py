"""Decides from the source whether nothing in a submission can keep a gradient from going back.

Gradients of a right answer are compared with exact ones on few steps, which is cheap. A gradient that is cut every so
many steps is right there. Cutting it takes something besides plain differentiable operations: a detour through NumPy or
a variable, a custom gradient, a tape that stops recording. So this module lists operations that certainly do not cut.
Where a source names anything else, gradients are compared on as many steps as the exercise has. In doubt the answer is
no, which costs only time.
"""

import ast
import re

from scopes import root_name

from reader.plan.statement_plan import SUPPLIED, Plan

MODULES = frozenset(
    {"tensorflow", "tf", "keras", "layers", "nn", "math", "linalg", "backend", "K", "ops", "tf_keras", "__future__"}
)
CLASSES = frozenset(
    {
        *("Model", "Layer", "Module", "Dense", "TensorArray", "LSTMCell", "Sequential", "Activation", "Add"),
        *("Multiply", "Subtract", "Concatenate", "Reshape", "Permute", "RepeatVector"),
    }
)
OPERATIONS = frozenset(
    {
        *("matmul", "add", "add_n", "multiply", "subtract", "divide", "tensordot", "einsum", "sigmoid", "tanh", "relu"),
        *("bias_add", "xw_plus_b", "exp", "negative", "square", "hard_sigmoid", "softplus", "log_sigmoid", "transpose"),
        *("reshape", "expand_dims", "squeeze", "concat", "concatenate", "stack", "unstack", "split", "slice", "gather"),
        *("reverse", "pad", "repeat", "tile", "zeros", "zeros_like", "ones", "ones_like", "fill", "shape", "rank"),
        *("range", "reduce_sum", "permute_dimensions", "moveaxis", "swapaxes", "dot", "strided_slice", "identity"),
        *("write", "read", "mark_used", "unbind", "pow", "sqrt", "rsqrt", "log", "log1p", "expm1", "abs"),
        *("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh", "erf"),
        *("elu", "selu", "gelu", "silu", "swish", "mish", "leaky_relu", "softmax", "log_softmax", "softsign"),
        *("reciprocal", "reduce_mean", "mean", "sum", "l2_normalize", "normalize", "norm", "moments", "matvec"),
        "vectorized_map",
    }
)
# Attributes of tensors, layers and containers, and types.
ATTRIBUTES = frozenset(
    {
        *("shape", "dtype", "ndim", "append", "extend", "insert", "as_list", "get_shape", "dims", "rank", "units"),
        *("kernel", "bias", "weights", "activation", "float32", "int32", "built", "newaxis", "name", "call", "build"),
        *("items", "keys", "values", "join", "Tensor", "TensorShape", "input_shape", "output_shape"),
    }
)
BUILTINS = frozenset(
    {
        *("range", "len", "zip", "enumerate", "reversed", "list", "tuple", "dict", "super", "isinstance", "slice"),
        *("None", "True", "False", "str", "bool", "object", "print", "property", "staticmethod", "classmethod"),
        *("ValueError", "TypeError", "NotImplementedError", "Any", "List", "Tuple", "Optional", "Sequence", "Dict"),
        *("Union", "Callable", "annotations", "typing", "sorted", "min", "max", "abs", "__name__"),
    }
)
# Makers of weights and their initial values; in the set-up of a layer they cut nothing.
SETTING_UP = frozenset({"__init__", "build"})
WEIGHTS = re.compile(
    r"Variable|add_weight|Parameter|initializers?|random|(?:random_)?(?:normal|uniform)|truncated_normal|constant"
    r"|\w*[iI]nitializer|(?:Glorot|He|Lecun|Random)\w+|Orthogonal|Zeros|Ones|Constant|Identity|get_config|from_config"
    r"|get|update|pop|setdefault|int|float|regularizers?|constraints?|Activation|activations|InputSpec"
)
# Never excused by a student's own thing of that name.
DETACHING = re.compile(r"_?numpy\w*|eval|item|tolist|value|read_value|assign\w*|\w*(?:gradient|recording)\w*|__\w+__")
OWN_METHODS = frozenset({"__init__", "__call__"})
DECORATORS = frozenset({"property", "staticmethod", "classmethod", "tf.function", "tf.Module.with_name_scope"})


def lets_gradients_through(plan: Plan) -> bool:
    """Return whether everything the class needs is made of differentiable operations alone."""
    statements = [plan.statements[index].node for index in plan.core | _others(plan)]
    nodes = [node for statement in statements for node in ast.walk(statement)]
    own = {name for node in nodes for name in _bound(node)}
    # setattr(self, f"fcX{gate}", Dense(units)): later reads from self are the student's own, whatever the name.
    if any(map(_is_setattr, nodes)):
        own |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and root_name(node) == "self"}
    own = {name for name in own if not DETACHING.fullmatch(name)} | SUPPLIED
    return all(_passes(statement, own, setting_up=False) for statement in statements)


def _is_setattr(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="setattr"), args=[ast.Name(id="self"), _, _], keywords=[]):
            return True
    return False


def _others(plan: Plan) -> set[int]:
    """Collect statements that may change things the class uses, though it does not need them."""
    return {index for index, reason in plan.reasons.items() if reason not in ("definition", "import", "configuration")}


def _bound(node: ast.AST) -> list[str]:
    """List names that the student gives to things of their own; not new names for something of a library."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            return [name]
        case ast.Attribute(attr=name, ctx=ast.Store(), value=ast.Name(id="self")):
            return [name]
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
    return []


def _passes(node: ast.AST, own: set[str], *, setting_up: bool) -> bool:
    match node:
        case ast.FunctionDef(name=name, decorator_list=decorators):
            if name.startswith("__") and name not in OWN_METHODS:
                return False
            if not {ast.unparse(each).partition("(")[0] for each in decorators} <= DECORATORS:
                return False
            setting_up = name in SETTING_UP
            # Decorators were checked above, and annotations compute nothing.
            inner: list[ast.AST] = [*node.body, *node.args.defaults, *filter(None, node.args.kw_defaults)]
            return all(_passes(each, own, setting_up=setting_up) for each in inner)
        case ast.AnnAssign(target=target, value=value):
            return all(_passes(each, own, setting_up=setting_up) for each in (target, value) if each is not None)
        case ast.Lambda():
            setting_up = False
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return all(_imported(alias, node) for alias in aliases)
        case ast.Call(args=[_, name, value]) if setting_up and _is_setattr(node):
            return all(_passes(each, own, setting_up=True) for each in (name, value))
        case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name(id="self"), *rest], keywords=[]):
            return all(_passes(each, own, setting_up=setting_up) for each in rest)
        case ast.Name(id=name, ctx=ast.Load()):
            return name in own or _is_known(name, BUILTINS | MODULES, setting_up)
        case ast.Attribute(attr=name, ctx=ast.Load()) if name not in own and not _is_known(
            name, ATTRIBUTES | MODULES | OWN_METHODS, setting_up
        ):
            return False
        case ast.Attribute(ctx=ast.Store() | ast.Del(), value=value) if ast.unparse(value) != "self":
            return False
        case ast.With(items=[ast.withitem(context_expr=ast.Call(func=ast.Attribute(attr="name_scope")))], body=body):
            return all(_passes(each, own, setting_up=setting_up) for each in body)
        case ast.AsyncFunctionDef() | ast.Global() | ast.Nonlocal() | ast.With() | ast.AsyncWith() | ast.Try():
            return False
        case ast.Delete() | ast.Await() | ast.Yield() | ast.YieldFrom():
            return False
    return all(_passes(child, own, setting_up=setting_up) for child in ast.iter_child_nodes(node))


def _is_known(name: str, names: frozenset[str], setting_up: bool) -> bool:
    return name in names | CLASSES | OPERATIONS or (setting_up and WEIGHTS.fullmatch(name) is not None)


def _imported(alias: ast.alias, statement: ast.Import | ast.ImportFrom) -> bool:
    """Return whether an import brings the thing its name says, out of TensorFlow or Keras."""
    module = statement.module if isinstance(statement, ast.ImportFrom) else alias.name
    parts = (module or "").split(".")
    if isinstance(statement, ast.Import):
        return set(parts) <= MODULES or (parts[0] != "numpy" and alias.asname is None)
    if parts[0] == "typing" or parts == ["__future__"]:
        return True
    known = alias.name in MODULES | CLASSES | OPERATIONS
    return set(parts) <= MODULES and known and alias.asname in (None, alias.name, "K")
