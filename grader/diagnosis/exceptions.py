"""Codes for exceptions of the student's code, and advice that fits each.

Every function here returns a `Finding` or None.
"""

import re
from collections.abc import Sequence

from grader.diagnosis.missing_names import NO_ATTRIBUTE, UNKNOWN_NAME, behind_missing_module
from grader.diagnosis.near_names import guess_attribute, guess_name, misspelt_constructor, without_call, without_self
from grader.execution.reading import Reading
from grader.report.finding import Finding, Params
from grader.report.server_paths import clean_message, in_brief
from grader.sandbox.events import Raised

OUT_OF_MEMORY = {"MemoryError", "_ArrayMemoryError", "ResourceExhaustedError"}
# The messages of Python and TensorFlow when the kernel refuses another thread.
NO_MORE_THREADS = re.compile(r"can't start new thread|pthread_create")
MISSING_ARGUMENT = re.compile(r"missing (?:a required argument|\d+ required positional arguments?): '(\w+)'")
#: Code -> the types of an exception and its bases, or the message, that show it.
PLAIN = {
    "recursion": re.compile(r"^[^:]*\bRecursionError\b"),
    "input_call": re.compile(r"^[^:]*\b(?:InputUnavailable|EOFError)\b"),
    "exits": re.compile(r"^[^:]*\bSystemExit\b"),
    "reads_files": re.compile(r"^[^:]*\bFileNotFoundError\b|No such file or directory"),
    "too_many_threads": NO_MORE_THREADS,
    "tensor_item_assignment": re.compile(r"(?:Tensor|Variable)' object does not support item assignment"),
    "tf1_api": re.compile(
        r"module '[\w.]*' has no attribute '(?:placeholder|Session|get_variable|global_variables_initializer|contrib"
        r"|layers|rnn_cell|\w*dynamic_rnn|static_rnn|assign|variable_scope)'"
    ),
}
# Keras 3 on Python 3.11 and later, Keras 3 for `layers`, Keras 2.
RESERVED = re.compile(
    r"property '(\w+)' of '[\w.<>]+' object has no setter"
    r"|`Model\.(\w+)` attribute is reserved"
    r"|Can't set the attribute \"(\w+)\", likely because it conflicts"
)
#: Words of Keras where it fails later because the class overwrote an attribute, with a layer even -> the attribute.
OVERWRITTEN = {
    "is not a callable object": "build|call",
    "object is not callable": "build",  # Keras 2
    "missing a required argument: 'inputs'": "build",
    "Inputs to a layer should be tensors": "build",  # Keras 2
    "Argument `name` must be a string": "name",
}
# A class ends above the next line that is not indented.
NOT_INDENTED = re.compile(r"^[^\s#)\]}]", re.MULTILINE)
#: Types of objects that students ask for attributes of other objects -> the matching advice.
OTHER_OBJECTS = {"int": "number", "float": "number", "NoneType": "none", "list": "list", "tuple": "list"}
# A method and its class, when it gets more arguments than it has parameters. A function inside a method does not match;
# Keras binds the arguments of `call` without naming it.
TOO_MANY = re.compile(
    r"\b(?:(\w+)\.)?(?<!<locals>\.)(\w+)\(\) takes \d+ positional arguments? but|(too many positional arguments)$"
)
# Keras 3's message about a model or a layer without a method `call`.
NO_CALL = re.compile(r"^(?:Model|Layer) (\w+) does not have a `call\(\)` method")
NOT_CALLABLE = re.compile(r"'(\w+)' object is not callable")
TAKES_TWO = re.compile(r"\w+\s*,\s*\w+\s*=[^=]")
# A tensor of a graph is asked for what only a tensor with numbers has, or outside the loop that makes it.
IN_GRAPH = re.compile(
    r"is out of scope|symbolic `?tf\.Tensor`?.{0,200}\bnumpy array|over a symbolic `?tf\.Tensor|"
    r"'?SymbolicTensor'? object has no attribute 'numpy'"
)
# Code that has TensorFlow build a graph. Without it, only a call that is over has tensors out of scope.
BUILDS_GRAPH = re.compile(r"\.(?:function|range|while_loop|scan|rnn|map_fn|vectorized_map|fold[lr]|cond)\b")
#: Kind of error -> how to recognise it by its message, and by the line that raised it. They come before `VARIANTS`.
VARIANTS_OF_LINE = {
    "axis_first": (re.compile(""), re.compile(r"\btf\.(?:concat|split|stack)\(\s*\d+\s*,")),
    "no_brackets": (
        re.compile(r"multiple values for argument 'axis'"),
        re.compile(r"\b(?:concat|stack)\(\s*\w+\s*,\s*[A-Za-z_]\w*\s*[,)]"),
    ),
    "widths": (re.compile(r"Shapes of all inputs must match"), re.compile(r"\b(?:stack|matmul)\(\s*[(\[]\s*\w[^()]*,")),
    # A product of matrices where two shapes are equal, as those of a gate and a state are.
    "matmul": (
        re.compile(r"In\[0\]: \[(\d+,\d+)\], In\[1\]: \[\1\]|shapes (\(\d+,\d+\)) and \2 not aligned"),
        re.compile(r"\b(?:matmul|dot)\(|[\w)\]] *@"),
    ),
    "none": (re.compile(r"cannot unpack non-iterable NoneType"), re.compile(r"^[^(]*$")),
    "sizes": (re.compile(r"values to unpack"), re.compile(r"\bshape\b")),
    "empty": (
        re.compile(r"list index out of range|at least one array|length 0 shorter"),
        re.compile(r"^(?!.*(?:\bfor\b|\w\[)).*\b(?:stack|concat|concatenate|vstack|hstack)\("),
    ),
    "size_as_dtype": (
        re.compile(r"[Cc]ast\w* from dtype|DType|data ?type"),
        re.compile(r"\b(?:zeros|ones)\((?![\[(])[^,]+,\s*(?!dtype\b|tf\.|np\.)[\w.]"),
    ),
    "class_called": (re.compile(r"__init__\(\) takes \d+ positional"), TAKES_TWO),
}
# Attributes that Keras' constructor would have made.
BEFORE_SUPER = re.compile(
    r"super\(\)\.__init__\(\)|forgot to call `super|'super' object needs an argument|"
    r"object has no attribute '(?:built|_lock|_tracker|_metrics_lock|"
    r"_is_graph_network|_call_spec|_auto_track_sub_layers|_obj_reference_counts_dict|_layers|_self_\w+)'"
)
MODEL_AS_DATACLASS = re.compile(r"^[ \t]*@[\w.]{0,30}dataclass\b.*\n\s*class\s+\w+\(.*(?:Model|Layer)\b", re.MULTILINE)
#: Kind of error -> how to recognise it by its type and message. The first match wins.
VARIANTS = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "graph": IN_GRAPH.pattern,
        "no_return": r"cannot unpack non-iterable NoneType",
        "super": r"super\(type, obj\)",
        "variable": r"only supports singleton tf\.Variables|tried to create variables on non-first call",
        "late_layer": r"cannot add new elements of state",
        "keras_input": r"KerasTensor cannot be used",
        "activation": r"Could not interpret activation function|Unknown activation function",
        "whole_number": r"'float' object cannot be interpreted as an integer|positive integer.{0,40}=(?:\d+\.\d|\()",
        "list_plus": r"Incompatible shapes: \[0\]",
        "list_index": r"list indices must be integers or slices, not (?!str)",
        "tensor_index": r"are valid indices, got",
        "structure": r"same nested structure",
        "joined_rows": r"ConcatOp : Dimension 0 .*= \[1,",
        "joined": r"ConcatOp|dimensions except for the concatenation axis",
        "number_as_state": r"(?:Only input|Inputs to a layer should be) tensors\b.*<class '(?:int|float)'>",
        "generator": r"'(?:generator|map|zip)'(?: object is not subscriptable| has no len|>)|Expected list for",
        "uncalled": r"'(?:Dense|\w*(?:Layer|Cell|function|method))' object is not (?:subscriptable|iterable)"
        r"|unsupported operand type\(s\).*'(?:Dense|\w*(?:Layer|Cell|function|method))'"
        r"|with an unsupported type \(<class '(?:(?:tf_)?keras\.[\w.]*layers\.|function')",
        "one_tensor": r"^TypeError: (?:\w+\.)?call\(\) got multiple values for argument 'training'"
        r"|Layer \S*dense\S* expects 1 input\(s\), but it received",
        "signature": r"cast TensorSpec|incompatible with input_signature",
        "rows": r"found ndim=1\b|must be >= 2|at least rank 2",
        "lacking": r"Missing required positional argument",
        "weight_list": r"weight list of length",
        "by_name": r"must be passed as a keyword argument",
        "torch_keyword": r"unexpected keyword argument '(?:dim|keepdim)'",
        "unpack": r"values to unpack|cannot unpack non-iterable|expects \d+ input\(s\), but it received",
        "arguments": r"positional arguments? but|missing required positional|takes no arguments|multiple values for"
        r"|(?:unexpected|unrecognized) keyword argument|positional arguments\. The following argument value should",
        "count": r"'int' object is not iterable|iterate over a scalar tensor|iteration over a 0-d",
        "shape_called": r"'TensorShape' object is not callable",
        "not_callable": r"object is not callable|not a callable object",
        "none": r"NoneType|Got 'None'|None values not supported|\(None\) with an unsupported type",
        "axis": r"\baxis\b.{0,40}(?:not in range|out of (?:range|bounds))|concatenating dimensions in the range",
        "fewer_axes": r"input has only \d dims|too many indices",
        "last_axis": r"slice index \d+ of dimension 2 out of bounds",
        "index": r"^IndexError|out of bounds|out of range",
        "key": r"^KeyError",
        "truth": r"truth value|as a Python `?bool",
        "division": r"^ZeroDivisionError|division by zero",
        "dtype": r"was expected to be an? \w+ tensor but is an? \w+ tensor|Tensor conversion requested dtype"
        r"|incompatible types|does not match type|must (?:have the same|be the same) d?type",
        "split": r"Number of ways to split|equal division",
        "layer_width": r"expected axis -1 of input shape to have value",
        "reshape": r"Input to reshape is|cannot reshape array",
        "axes": r"transpose expects a vector|axes don't match|perm\b",
        "kept_list": r"Shapes of all inputs must match: values\[0\]",
        "shapes": r"shapes?\b(?!=)|size-incompatible|dimension|expected (?:min_|max_)?ndim|core dimension|broadcast"
        r"|rank\b|ndims\b|must match|incompatible with the layer",
    }.items()
}
# The ``...`` that stands for a line that is still to be written.
UNWRITTEN = re.compile(r"value \(Ellipsis\)|'ellipsis'")
#: Kind of syntax error -> how to recognise it by Python's words.
SYNTAX_VARIANTS = {
    name: re.compile(pattern)
    for name, pattern in {
        "tabs": r"inconsistent use of tabs",
        "indent": r"unindent|expected an indented block|unexpected indent",
        "outside": r"outside (?:function|loop)",
        "assign": r"cannot assign to",
        "character": r"invalid (?:non-printable )?character",
        "print": r"Missing parentheses in call",
    }.items()
}
# The layer itself, called where its cell may be meant; and the first such line of a method `call`.
ITSELF = re.compile(r"[^#\n]{0,200}?(?<![\w.])self\(")
CALLS_ITSELF = re.compile(rf"\bdef call\b(?:(?!\bdef )[\s\S]){{0,5000}}?\n{ITSELF.pattern}")
#: Codes of a statement that failed for its own reason.
ADVISED = {"comparison_failed", "copying_failed", "definition_failed"}
OWN_ERROR = re.compile(r"(?:raise|assert)\b")


def is_out_of_memory(raised: Raised) -> bool:
    return bool(OUT_OF_MEMORY & {raised.type, *raised.bases}) or (
        "bad_alloc" in raised.message or "OOM when allocating" in raised.message
    )


def exception_problem(raised: Raised, reading: Reading | None = None) -> Finding:
    """Choose the code for an exception of the student's code.

    Args:
        reading: for looking up its lines.
    """
    message = clean_message(raised.message)
    kinds = {raised.type, *raised.bases}
    params: Params = {"type": raised.type, "message": in_brief(message)}
    if raised.lines:
        params["line"] = raised.lines[-1]
    if reading is not None and not raised.lines and (overwritten := _overwritten(message, reading)):
        return Finding.of("reserved_name", {**params, **overwritten})
    if match := MISSING_ARGUMENT.search(message):
        params["argument"] = match[1]
        # Without one of the student's frames, our own call of the class or of the model lacks an argument.
        if not raised.lines:
            return _signature(raised, params, reading)
        return Finding.of("missing_argument", params, variant="constructor" if "__init__" in message else None)
    source = reading.source if reading is not None else ""
    within = [line for line in raised.lines[:-1] if reading is not None and ITSELF.match(reading.code_at(line))]
    if within and "RecursionError" not in kinds:
        inner = f"{raised.type}: {in_brief(message)}"
        return Finding.of("recursion", params, line=within[-1], variant="inner", inner=inner)
    if forgotten := _missing_self(raised, message, source):
        return Finding.of("missing_self", {**params, **forgotten})
    if TOO_MANY.search(message) and not raised.lines:
        return _signature(raised, params, reading)
    if name := (found[1] if (found := NO_CALL.search(message)) else without_call(source, raised.lines)):
        return Finding.of("no_call_method", params, variant="other", name=name)
    if ("NotImplementedError" in kinds and not IN_GRAPH.search(message)) or UNWRITTEN.search(message):
        return Finding.of("not_implemented", params)
    if plain := [code for code, words in PLAIN.items() if words.search(f"{' '.join(kinds)}: {message}")]:
        return Finding.of(plain[0], params)
    if match := RESERVED.search(message):
        return Finding.of("reserved_name", params, name=match[1] or match[2] or match[3])
    if problem := behind_missing_module(raised):
        return Finding.of(problem.code, {**params, **problem.params})
    if "UnboundLocalError" in kinds or "NameError" in kinds:
        return Finding.of("name_error", {**params, **_name_variant(message, kinds, source)})
    if BEFORE_SUPER.search(message):
        way = "dataclass" if MODEL_AS_DATACLASS.search(source) else "brackets" if "'super'" in message else None
        return Finding.of("super_init_missing", params, variant=way)
    if "AttributeError" in kinds:
        return Finding.of("attribute_error", {**params, **_attribute_variant(message, source)})
    lines = [reading.code_at(line) for line in raised.lines] if reading is not None else []
    variant = error_variant(raised.type, message, lines, source)
    return Finding.of("raises_in_init" if raised.in_init else "raises_in_call", {**params, **variant})


def error_variant(type: str, message: str, lines: Sequence[str] = (), source: str = "") -> Params:
    """Choose the advice that fits an error.

    Args:
        lines: lines of the student's code; the last one raised the error.
    """
    if lines and OWN_ERROR.match(lines[-1]):
        return {"variant": "own"}
    called = NOT_CALLABLE.search(message)
    if called and re.search(rf"\bclass[ \t]+{called[1]}\b", source):
        return {"variant": "no_call", "name": called[1]}
    if "is out of scope" in message and not BUILDS_GRAPH.search(source):
        return {"variant": "kept_list"}
    for name, (words, line) in VARIANTS_OF_LINE.items():
        if lines and words.search(message) and line.search(lines[-1]):
            return {"variant": name}
    text = f"{type}: {message}"
    return next(({"variant": name} for name, pattern in VARIANTS.items() if pattern.search(text)), {})


def advised(finding: Finding, reading: Reading) -> Finding:
    """Add the advice that fits the error of a statement outside the class, from `type`, `message` and `line`."""
    if finding.code not in ADVISED:
        return finding
    error = {name: finding.params[name] for name in ("type", "message")} | {"lines": [finding.params["line"]]}
    advice = exception_problem(Raised(event="raised", phase=None, case=None, bases=[], **error), reading).params
    # Codes of such statements have advice of their own on shapes.
    return finding if advice.get("variant") == "shapes" else Finding.of(finding.code, {**advice, **finding.params})


def syntax_variant(message: str) -> Params:
    """Choose the advice that fits a syntax error."""
    return next(({"variant": name} for name, pattern in SYNTAX_VARIANTS.items() if pattern.search(message)), {})


def once(lines: Sequence[int]) -> list[int]:
    """List the lines that an exception passed through, without the repetitions of an endless recursion."""
    return list(dict.fromkeys(lines))


def _signature(raised: Raised, params: Params, reading: Reading | None) -> Finding:
    """Report our own call of the class, or of the model, that its parameters do not fit."""
    if not raised.in_init:
        return Finding.of("call_signature", params)
    return Finding.of("init_signature", {**params, **misspelt_constructor(reading.source if reading else "")})


def _missing_self(raised: Raised, message: str, source: str) -> Params | None:
    """Find the method that does not know `self`, or gets one argument more than it has parameters."""
    unknown, too_many = UNKNOWN_NAME.search(message), TOO_MANY.search(message)
    if raised.lines and (found := without_self(source, at=raised.lines[-1])) and found.get("variant") == "order":
        return found
    if unknown and unknown[1] == "self" and raised.lines:
        return without_self(source, at=raised.lines[-1])
    if too_many and (too_many[1] or too_many[3]):
        return without_self(source, method=too_many[2] or "call", owner=too_many[1])
    return None


def _overwritten(message: str, reading: Reading) -> Params | None:
    """Find the line of the class that overwrote the attribute of Keras that the message is about."""
    start = sum(len(line) + 1 for line in reading.source.split("\n")[: reading.class_line])
    end = NOT_INDENTED.search(reading.source, start)
    for words, names in OVERWRITTEN.items():
        assigns = re.compile(rf"^[ \t]*self\.({names})[ \t]*=[^=]", re.MULTILINE)
        found = assigns.search(reading.source, start, end.start() if end else len(reading.source))
        if words in message and found:
            return {"name": found[1], "line": reading.source.count("\n", 0, found.start(1)) + 1}
    return None


def _name_variant(message: str, kinds: set[str], source: str) -> Params:
    if "UnboundLocalError" in kinds:
        return {"variant": "local"}
    found = UNKNOWN_NAME.search(message)
    if found is None:
        return {}
    return {"variant": "self"} if found[1] == "self" else guess_name(found[1], source)


def _attribute_variant(message: str, source: str) -> Params:
    found = NO_ATTRIBUTE.search(message)
    if found is None:
        return {}
    owner = found[1].rpartition(".")[2]
    of_list = found[2] in ("append", "extend", "insert")
    if owner.endswith("Tensor"):
        return {"variant": "graph" if IN_GRAPH.search(message) else "no_list" if of_list else "tensor"}
    if owner == "NoneType" and of_list:
        return {"variant": "append"}
    if owner in OTHER_OBJECTS:
        return {"variant": OTHER_OBJECTS[owner]}
    return guess_attribute(found[1], found[2], source)
