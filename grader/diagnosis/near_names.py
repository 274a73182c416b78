"""The name that was probably meant in place of a missing one, and the method that forgot `self`.

Regular expressions search the source. It is never parsed: parsing odd code costs more than this process may spend.
"""

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from grader.report.finding import Params
from reference.lstm.weights import DENSE_LETTERS

# Also one of several in a row: ``self.a, self.b = ...``.
SET_ON_SELF = re.compile(r"\bself\.(\w{1,60})(?=[ \t]*(?:(?::[^=\n]{0,80})?|,[^=()\n]{0,200})=(?!=))")
#: Names of Python that a loop needs, written in another way by Python 2 or by a slip.
BUILT_IN = {"enumerate", "len", "print", "range", "reversed", "zip"}
WORDS = re.compile(r"\b[A-Za-z_]\w{1,60}\b")
QUOTES = re.compile(r"'''|\"\"\"")
HEAD = re.compile(r"(class|(?:async[ \t]+)?def)[ \t]+(\w{1,60})")
WITHOUT_SELF = re.compile(r"[ \t]+def[ \t]+\w{1,60}[ \t]*\([ \t\n]*(?!(?:self|cls)\b|\*\w)[\w*)]")
# A layer of the cell; the formulas call the candidate g.
LAYER = re.compile(f"fc[XH][G{''.join(DENSE_LETTERS.values())}]")
#: Names that the exercise needs from TensorFlow, and their places.
IN_TENSORFLOW = {
    name: prefix + name
    for prefix, names in {
        "tf.": """
            cast concat expand_dims identity matmul multiply add ones random range reduce_mean reduce_sum reshape scan
            shape sigmoid split squeeze stack tanh tensordot transpose unstack while_loop zeros zeros_like einsum
            convert_to_tensor Tensor TensorArray Variable constant function float32 keras
        """,
        "tf.keras.": "Model Sequential Input layers activations initializers backend",
        "tf.keras.layers.": "Dense Layer Dropout LSTM LSTMCell",
    }.items()
    for name in names.split()
}
#: Names of NumPy, PyTorch and TensorFlow 0 and 1 -> those of TensorFlow 2.
RENAMED = {
    "mul": "multiply", "sub": "subtract", "div": "divide", "neg": "negative", "pack": "stack", "unpack": "unstack",
    "cat": "concat", "concatenate": "concat", "append": "concat", "hstack": "concat", "vstack": "concat",
    "arange": "range", "sum": "reduce_sum", "mean": "reduce_mean", "dot": "matmul", "mm": "matmul", "bmm": "matmul",
    "log": "math.log", "random_normal": "random.normal", "random_uniform": "random.uniform", "to_float": "cast",
    "truncated_normal": "random.truncated_normal", "select": "where", "clamp": "clip_by_value", "permute": "transpose",
    "unsqueeze": "expand_dims", "batch_matmul": "matmul",
    **{name: f"nn.{name}" for name in ("softmax", "relu", "elu", "dropout", "softplus")},
}  # fmt: skip
# Two names this similar are probably meant to be one.
ALIKE = 0.75
MOST_WORDS = 5000
# So many places that set an attribute are looked at; each look goes through the source.
MOST_SETTERS = 20


class _Block(NamedTuple):
    """A class or a function; `owner` is the class of a method."""

    name: str
    owner: str | None
    is_class: bool
    is_static: bool
    indent: int
    line: int
    start: int

    @property
    def is_method(self) -> bool:
        return self.owner is not None and not self.is_class


def guess_name(name: str, source: str) -> Params:
    """Guess what a missing name stands for: `variant`, and `similar`, the name that exists."""
    own = set(SET_ON_SELF.findall(source))
    if name in own:
        return {"variant": "attribute", "similar": f"self.{name}"}
    if without := _set_without_self(name, None, source):
        return without
    if found := _similar(name, {*BUILT_IN, *WORDS.findall(source)[:MOST_WORDS]} - {name}):
        return found
    if name in IN_TENSORFLOW:
        return {"variant": "prefix", "similar": IN_TENSORFLOW[name]}
    return {"variant": "module"} if re.search(rf"\b{name}\.\w", source) else {}


def guess_attribute(owner: str, name: str, source: str) -> Params:
    """Guess a missing attribute of an object, as `guess_name` does for names.

    Args:
        owner: name of its class, or of the module.
    """
    if owner.startswith(("tensorflow", "keras")):
        if name in RENAMED:
            return {"variant": "renamed", "similar": f"tf.{RENAMED[name]}"}
        return _similar(name, set(IN_TENSORFLOW))
    if re.search(rf"\bclass[ \t]+{re.escape(owner)}\b", source):
        set_on_self = (each.start() for each in SET_ON_SELF.finditer(source) if each[1] == name)
        if method := next((each for each in _methods_at(set_on_self, owner, source) if each != "__init__"), None):
            return {"variant": "elsewhere", "method": method}
        if without := _set_without_self(name, owner, source):
            return without
        methods = {block.name for block in _blocks(source)[0] if block.is_method}
        names = {*SET_ON_SELF.findall(source), *methods} - {name}
        if LAYER.fullmatch(name):  # one of the eight is not a misspelling of another
            candidate = f"{name[:-1]}C" if name.endswith("G") else None
            names = {other for other in names if not LAYER.fullmatch(other) or other == candidate}
        return _similar(name, names) or {"variant": "unset"}
    return {}


def _set_without_self(name: str, owner: str | None, source: str) -> Params:
    starts = (each.end() for each in re.finditer(rf"^[ \t]+(?={name}[ \t]*=(?!=))", source, re.MULTILINE))
    method = next(_methods_at(starts, owner, source), None)
    return {"variant": "bare", "similar": f"self.{name}", "method": method} if method else {}


def _methods_at(starts: Iterable[int], owner: str | None, source: str) -> Iterator[str]:
    """Yield the methods that the first of these places stand in, those of one class or of any."""
    for start in itertools.islice(starts, MOST_SETTERS):
        around = _blocks(source, source.count("\n", 0, start) + 1)[1]
        yield from (block.name for block in around if block.is_method and owner in (None, block.owner))


def misspelt_constructor(source: str) -> Params:
    """Find the method that was meant to be the constructor of a class that has none: ``_init_``."""
    methods = [block for block in _blocks(source)[0] if block.is_method and block.owner == "LSTM"]
    if any(block.name == "__init__" for block in methods):
        return {}
    near = (block for block in methods if _similar(block.name.strip("_"), {"init"}))
    return next(({"variant": "misspelt", "method": block.name, "line": block.line} for block in near), {})


def call_of_no_class(source: str) -> int | None:
    """Return the line of a def `call` that stands outside of every class, or in another method."""
    return next((block.line for block in _blocks(source)[0] if block.name == "call" and not block.is_method), None)


def without_call(source: str, lines: Sequence[int]) -> str | None:
    """Return the class without a method `call` whose `build` an error came through: Keras gives it no shape."""
    around = _blocks(source, lines[-1])[1] if lines else []
    built = next((block.owner for block in around if block.is_method and block.name == "build"), None)
    called = {block.owner for block in _blocks(source)[0] if block.name in ("call", "__call__")} if built else set()
    return None if built in called else built


def _similar(name: str, names: set[str]) -> Params:
    for other in sorted(names):
        if _as_letters(name) == _as_letters(other) and name.count("0") != other.count("0"):
            return {"variant": "zero", "similar": other}
    found = difflib.get_close_matches(name, sorted(names), 1, ALIKE)
    return {"variant": "similar", "similar": found[0]} if found else {}


def _as_letters(name: str) -> str:
    return name.replace("0", "o").lower()


def without_self(source: str, *, method: str = "", owner: str | None = None, at: int | None = None) -> Params | None:
    """Find the def of a method by name, or by a line in it, if its first parameter is not `self`.

    Args:
        owner: name of the class; None for any.
    """
    every, around = _blocks(source, at)
    if at is not None:
        found = [block for block in around if block.is_method][-1:]
    else:
        # The last of several versions is the one that ran.
        last = {(block.owner, block.name): block for block in every if block.is_method and block.name == method}
        found = [block for block in last.values() if owner in (None, block.owner)]
    for block in found:
        if WITHOUT_SELF.match(source, block.start) and not block.is_static:
            head = source[block.start :].split("\n", 1)[0]
            order = {"variant": "order"} if re.search(r"\bself\b", head) else {}
            return {"method": block.name, "line": block.line, **order}
    return None


def _blocks(source: str, last: int | None = None) -> tuple[list[_Block], list[_Block]]:
    """List the classes and functions down to a line, and those that the line stands in, from outside in."""
    found: list[_Block] = []
    around: list[_Block] = []
    is_static, start, quotes = False, 0, ""
    for number, line in enumerate(source.split("\n")[:last], start=1):
        text = line.lstrip()
        # Comments, the end of a header of several lines, and lines of a docstring have any indentation.
        if text and text[0] not in "#)]}" and not quotes:
            indent = len(line[: -len(text)].expandtabs())
            while around and around[-1].indent >= indent:
                around.pop()
            if match := HEAD.match(text):
                outer = around[-1] if around else None
                owner = outer.name if outer and outer.is_class else None
                around.append(_Block(match[2], owner, match[1] == "class", is_static, indent, number, start))
                found.append(around[-1])
            is_static = text[0] == "@" and (is_static or text.startswith("@staticmethod"))
        for mark in QUOTES.findall(line):
            quotes = mark if not quotes else quotes.replace(mark, "")
        start += len(line) + 1
    return found, around
