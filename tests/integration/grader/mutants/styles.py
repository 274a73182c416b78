"""Right answers in the manners in which the course's students write them, with a slot for everything that can go wrong.

A source is a text with slots in braces; what stands in a slot may hold slots of its own. Slots have the same names in
every style, so a mistake is written once. What one style has and another has not (the separate sum of a fused product)
decides where a mistake can be made.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

GATES = "ifgo"
LETTERS = {"i": "I", "f": "F", "g": "C", "o": "O"}
SLOT = re.compile(r"\{(\w+)\}")

#: What every style's step and loop say, in its own words for `xi`, `hi` and so on.
COMMON = {
    "gate_i": "i = {sigmoid}({xi} + {hi})",
    "gate_f": "f = {sigmoid}({xf} + {hf})",
    "gate_g": "g = {tanh}({xg} + {hg})",
    "gate_o": "o = {sigmoid}({xo} + {ho})",
    "late_o": "",
    "update": "c_new = f * c + i * g",
    "show": "h_new = o * {tanh}(c_new)",
    "returned": "return h_new, c_new",
    "prepare": "",
    "h0": "h = tf.zeros(({batch}, self.h_size))",
    "c0": "c = tf.zeros(({batch}, self.h_size))",
    "batch": "x.shape[0]",
    "loop": "for t in range(x.shape[1]):",
    "before_step": "",
    "step": "h, c = self.cell(x[:, t, :], h, c)",
    "after_step": "",
    "collect": "outputs.append(h)",
    "answer": "y = tf.stack(outputs, axis=1)",
    "after_loop": "",
    "last_line": "return y",
    "sigmoid": "tf.sigmoid",
    "tanh": "tf.tanh",
}

STEP = """
        {gate_i}
        {gate_f}
        {gate_g}
        {gate_o}
        {update}
        {late_o}
        {show}
        {returned}
"""

MODEL = """

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.cell = LSTMCell(h_size)

    def call(self, x):
        {prepare}
        {h0}
        {c0}
        outputs = []
        {loop}
            {before_step}
            {step}
            {after_step}
            {collect}
        {answer}
        {after_loop}
        {last_line}
"""


@dataclass(frozen=True)
class Style:
    """One manner of writing: a source, what it puts into its slots, and the words it uses instead of ours."""

    name: str
    source: str
    slots: Mapping[str, str]
    words: Mapping[str, str]

    def write(self, changes: Mapping[str, str]) -> str | None:
        """The source with other texts in some slots; None where this style has no such slot."""
        slots = {**COMMON, **self.slots}
        text = self.source
        if not changes.keys() <= slots.keys():
            return None
        slots |= changes
        used = set()
        while slot := SLOT.search(text):
            if slot[1] not in slots:
                return None
            used.add(slot[1])
            text = text[: slot.start()] + slots[slot[1]] + text[slot.end() :]
        if not changes.keys() <= used:
            return None
        lines = [line for line in text.splitlines() if line.strip()]
        return re.sub(r"\b(" + "|".join(self.words) + r")\b", lambda m: self.words[m[1]], "\n".join(lines) + "\n")


def _per_gate(text: str) -> str:
    return "\n".join(text.replace("<g>", gate).replace("<L>", LETTERS[gate]) for gate in GATES)


DENSE = Style(
    "course",
    "class LSTMCell(tf.keras.Model):\n    def __init__(self, h_size):\n        super().__init__()\n"
    + _per_gate(
        "        self.fcX<L> = tf.keras.layers.Dense(h_size{bias_<g>})\n"
        "        self.fcH<L> = tf.keras.layers.Dense(h_size, use_bias=False)"
    )
    + "\n\n    def call(self, x, h, c):"
    + STEP
    + MODEL,
    {
        **{f"x{g}": f"self.fcX{LETTERS[g]}(x)" for g in GATES},
        **{f"h{g}": f"self.fcH{LETTERS[g]}({{seen}})" for g in GATES},
        **{f"c{g}": f"self.fcH{LETTERS[g]}(c)" for g in GATES},
        **{f"bias_{g}": "" for g in GATES},
        "no_bias": ", use_bias=False",
        **{f"b{g}": f"self.fcX{LETTERS[g]}.bias" for g in GATES},
        "seen": "h",
        "sigmoid": "tf.nn.sigmoid",
        "tanh": "tf.nn.tanh",
        "answer": "y = tf.transpose(tf.stack(outputs), [1, 0, 2])",
    },
    {"g": "ch", "h_new": "h_t", "c_new": "c_t", "outputs": "h_all"},
)

FUSED = Style(
    "fused",
    """class LSTMCell(tf.keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 4 * self.units), initializer='glorot_uniform', name='kernel')
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, 4 * self.units), initializer='orthogonal', name='recurrent_kernel')
        self.bias = self.add_weight(shape=(4 * self.units,), initializer='zeros', name='bias')

    def call(self, x, h, c):
        zi, zf, zg, zo = tf.split({from_x}, 4, axis=1)
        ri, rf, rg, ro = tf.split({from_h}, 4, axis=1)"""
    + STEP
    + MODEL,
    {
        **{f"x{g}": f"z{g}" for g in GATES},
        **{f"h{g}": f"r{g}" for g in GATES},
        "from_x": "tf.matmul(x, self.kernel) + self.bias",
        "from_h": "tf.matmul({seen}, self.recurrent_kernel)",
        "seen": "h",
    },
    {"outputs": "ys", "y": "result"},
)

MATRICES = Style(
    "matrices",
    """class LSTMCell(tf.keras.layers.Layer):
    def __init__(self, h_size):
        super().__init__()
        self.h = h_size

    def build(self, input_shape):
        n = input_shape[-1]
"""
    + _per_gate(
        "        self.W_<g> = self.add_weight(name='W_<g>', shape=(n, self.h))\n"
        "        self.U_<g> = self.add_weight(name='U_<g>', shape=(self.h, self.h))\n"
        "        self.b_<g> = self.add_weight(name='b_<g>', shape=(self.h,))"
    )
    + "\n\n    def call(self, x, h, c):"
    + STEP
    + MODEL,
    {
        **{f"x{g}": f"(tf.matmul(x, self.W_{g}){{bias_{g}}})" for g in GATES},
        **{f"h{g}": f"tf.matmul({{seen}}, self.U_{g})" for g in GATES},
        **{f"c{g}": f"tf.matmul(c, self.U_{g})" for g in GATES},
        **{f"bias_{g}": f" + self.b_{g}" for g in GATES},
        **{f"b{g}": f"self.b_{g}" for g in GATES},
        "no_bias": "",
        "seen": "h",
        "sigmoid": "tf.math.sigmoid",
        "answer": "y = tf.convert_to_tensor(outputs)\n        y = tf.transpose(y, perm=[1, 0, 2])",
    },
    {"g": "c_tilde", "i": "i_t", "f": "f_t", "o": "o_t"},
)

STYLES = (DENSE, FUSED, MATRICES)
