"""The name that was probably meant in place of a missing one, and the method that forgot `self`.

Regular expressions search the source. It is never parsed: parsing odd code costs more than this process may spend.
"""

from __future__ import annotations

import difflib
import re
from collections import deque

from grader.report.finding import Params

SET_ON_SELF = re.compile(r"\bself\.(\w{1,60})[ \t]*(?::[^=\n]{0,80})?=(?!=)")
WORDS = re.compile(r"\b[A-Za-z_]\w{1,60}\b")
METHODS = re.compile(r"^[ \t]+def[ \t]+(\w{1,60})[ \t]*\([ \t\n]*(?:(\*{0,2}\w{1,60})|\))", re.MULTILINE)
LAYER = re.compile(r"fc[XH][IFCO]")
#: Names that the exercise needs from TensorFlow, and their places.
IN_TENSORFLOW = {
    name: prefix + name
    for prefix, names in {
        "tf.": """
            cast concat expand_dims identity matmul multiply add ones random range reduce_mean reduce_sum reshape scan
            shape sigmoid split squeeze stack tanh tensordot transpose unstack while_loop zeros zeros_like einsum
            convert_to_tensor TensorArray Variable constant function float32 keras
        """,
        "tf.keras.": "Model Sequential Input layers activations initializers backend",
        "tf.keras.layers.": "Dense Layer Dropout LSTM LSTMCell",
    }.items()
    for name in names.split()
}
# Two names this similar are probably meant to be one.
ALIKE = 0.75
MOST_WORDS = 5000
# A decorator may stand this many characters above its def.
DECORATOR = 200


def meant(name: str, source: str) -> Params:
    """Guess what a missing name stands for: `variant`, and `similar`, the name that exists."""
    own = set(SET_ON_SELF.findall(source))
    if name in own:
        return {"variant": "attribute", "similar": f"self.{name}"}
    if found := _similar(name, set(WORDS.findall(source)[:MOST_WORDS]) - {name}):
        return found
    if name in IN_TENSORFLOW:
        return {"variant": "prefix", "similar": IN_TENSORFLOW[name]}
    return {}


def meant_attribute(owner: str, name: str, source: str) -> Params:
    """Guess a missing attribute of an object, as `meant` does for names.

    Args:
        owner: name of its class, or of the module.
    """
    if owner.startswith(("tensorflow", "keras")):
        return _similar(name, set(IN_TENSORFLOW))
    if re.search(rf"\bclass[ \t]+{re.escape(owner)}\b", source):
        methods = {method for method, _ in METHODS.findall(source)}
        names = {*SET_ON_SELF.findall(source), *methods} - {name}
        if LAYER.fullmatch(name):  # one of the eight is not a misspelling of another
            names = {other for other in names if not LAYER.fullmatch(other)}
        return _similar(name, names) or {"variant": "own"}
    return {}


def _similar(name: str, names: set[str]) -> Params:
    found = difflib.get_close_matches(name, sorted(names), 1, ALIKE)
    if not found:
        return {}
    of_letters = name.replace("0", "O") == found[0].replace("0", "O")
    return {"variant": "zero" if of_letters else "similar", "similar": found[0]}


def without_self(source: str, *, method: str | None = None, at: int | None = None) -> Params | None:
    """Find the def of a method by name or by a line in it, if its first parameter is not `self`."""
    if at is not None:
        end = sum(len(line) + 1 for line in source.split("\n")[:at])
        defs = deque(METHODS.finditer(source, 0, end), maxlen=1)
    else:
        defs = deque(match for match in METHODS.finditer(source) if match[1] == method)
    for match in defs:
        above = source[max(0, match.start() - DECORATOR) : match.start()].rstrip().rpartition("\n")[2]
        if match[2] not in ("self", "cls", "*args") and "@staticmethod" not in above:
            return {"method": match[1], "line": source.count("\n", 0, match.start(1)) + 1}
    return None
