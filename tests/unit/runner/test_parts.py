"""Parts of an LSTM: where they stand, in whatever style the class is written; and bounds on code that is hostile."""

import ast
import re
import time
from typing import Any

import pytest

SIZES = {"batch": 2, "timesteps": 100, "features": 16, "units": 32}
HEAD = """class LSTM(tf.keras.Model):
    def __init__(self, units):
        self.units = units
"""


def parts_of(source: str) -> list[dict[str, Any]]:
    from reader import upload

    first, *second = upload.answers(source.encode(), "solution.py", SIZES)
    assert first["error"] is None
    return list(second[0]["parts"]) if second else []


def places_of(source: str, part: str, word: str = "") -> list[tuple[str | None, int]]:
    """Return gates and first lines of the parts of a kind, with a word about them."""
    return [
        (each["gate"], each["first_line"])
        for each in parts_of(source)
        if each["part"] == part and (not word or word in each["what"])
    ]


CELL = """class LSTMCell(tf.keras.Model):
    def __init__(self, n):
        for gate in "IFCO":
            setattr(self, "fcX" + gate, tf.keras.layers.Dense(n))
            setattr(self, f"fcH{gate}", tf.keras.layers.Dense(n, use_bias=False))
    def call(self, x, h, c):
        i = tf.sigmoid(self.fcXI(x) + self.fcHI(h))
        f = tf.sigmoid(self.fcXF(x) + self.fcHF(h))
        ch = tf.tanh(self.fcXC(x) + self.fcHC(h))
        o = tf.sigmoid(self.fcXO(x) + self.fcHO(h))
        c = f * c + i * ch
        h = o * tf.tanh(c)
        return h, c
class LSTM(tf.keras.Model):
    def __init__(self, n):
        self.cell = LSTMCell(n)
    def call(self, x):
        h, c = tf.zeros((2, 3)), tf.ones((2, 3))
        hs = []
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], h, c)
            hs.append(h)
        return tf.stack(hs, axis=1)
"""
LSTM = CELL[CELL.index("class LSTM(") :]


def test_parts_are_found_where_the_exercise_has_them() -> None:
    assert sorted(places_of(CELL, "sum")) == [("C", 9), ("F", 8), ("I", 7), ("O", 10)]
    for sigmoid in ("tf.sigmoid(", "scipy.special.expit("):
        cell = CELL.replace("f = tf.sigmoid(", f"f = {sigmoid}")
        assert sorted(places_of(cell, "activation", "sigmoid")) == [("F", 8), ("I", 7), ("O", 10)]
    assert places_of(CELL, "update_c", "usual") == [(None, 11)]
    assert places_of(CELL, "update_h", "usual") == [(None, 12)]
    assert places_of(CELL, "initial_state", "ones") == [(None, 18)]
    assert places_of(CELL, "loop") == [(None, 20)]
    assert places_of(CELL, "step_input") == [(None, 21)]
    assert places_of(CELL, "collected", "h") == [(None, 22)]
    assert places_of(CELL, "stacking", "stack") == [(None, 23)]


def test_the_supplied_cell_is_followed_too() -> None:
    lstm = CELL[CELL.index("class LSTM(") :]
    assert places_of(lstm, "passed_on", "swapped") == places_of(lstm, "update_c") == []
    for was, becomes in (("h, c = self", "c, h = self"), ("], h, c)", "], c, h)")):
        assert places_of(lstm.replace(was, becomes), "passed_on", "swapped") == [(None, 8)]
    own_step = (
        CELL[CELL.index("        i =") : CELL.index("        return h, c")]
        .replace("self", "k")
        .replace("(x)", "(x[:, t])")
    )
    rest = lstm.replace("            h, c = self.cell(x[:, t], h, c)\n", own_step.replace("        ", "            "))
    rest = rest.replace("        hs = []", "        hs, k = [], self.cell")
    assert sorted(places_of(rest, "sum")) == [("C", 10), ("F", 9), ("I", 8), ("O", 11)]
    assert places_of(rest.replace("i * ch", "(i + ch)"), "update_c", "odd") == [(None, 12)]


def test_a_loop_over_x_itself_runs_over_the_batch() -> None:
    for loop in (
        *("for t in x", "for t, xt in enumerate(x)", "for t, xt in zip(range(x.shape[1]), x)"),
        *("for t in tf.unstack(x)", "for t in tf.unstack(x, 2, 0)", "for t in range(len(x))"),
    ):
        looped = CELL.replace("for t in range(x.shape[1])", loop)
        assert places_of(looped, "loop", "other_axis") == [(None, 20)]
    steps = CELL.replace("for t in range(x.shape[1])", "for t in tf.unstack(x, axis=1)")
    assert places_of(steps, "loop", "other_axis") == []


@pytest.mark.parametrize(("change", "is_endless"), [("t =+ 1", True), ("t = t + 1", False), ("t += 1", False)])
def test_a_counter_that_gets_one_number_again_and_again_never_ends(change: str, is_endless: bool) -> None:
    source = CELL.replace("for t in range(x.shape[1]):", "while t < x.shape[1]:")
    source = source.replace("        hs = []", "        hs, t = [], 0")
    source = source.replace("hs.append(h)", f"hs.append(h)\n            {change}")
    assert places_of(source, "loop", "endless") == ([(None, 20)] if is_endless else [])
    sure = source.replace("while t < x.shape[1]", "while not t").replace(change, "t = True")
    assert places_of(sure, "loop", "endless") == []


def test_a_loop_with_while_has_the_same_parts() -> None:
    loop = "t = 0\n        while t < x.shape[1]:\n            t += 1"
    counted = CELL.replace("for t in range(x.shape[1]):", loop)
    assert places_of(counted, "step_input") == [(None, 23)]
    assert places_of(counted.replace("x[:, t]", "x[:, t - 1]"), "step_input", "other_step") == [(None, 23)]


@pytest.mark.parametrize(
    ("steps", "taken", "is_turned"),
    [
        ("tf.unstack(x, axis=1)", "pop()", True),
        ("tf.unstack(x, axis=1)", "pop(-1)", True),
        ("[x[:, t] for t in range(x.shape[1])]", "pop()", True),
        ("collections.deque(tf.unstack(x, axis=1))", "pop()", True),
        ("collections.deque(tf.unstack(x, axis=1))", "popleft()", False),
        ("list(tf.unstack(x, axis=1))", "pop(0)", False),
        ("[x[:, t] for t in range(x.shape[1])]", "pop(0)", False),
    ],
)
def test_steps_that_are_taken_from_the_end_are_turned_around(steps: str, taken: str, is_turned: bool) -> None:
    source = CELL.replace("for t in range(x.shape[1]):", "while steps:").replace(
        "x[:, t], h, c)", f"steps.{taken}, h, c)"
    )
    source = source.replace("hs = []", f"hs, steps = [], {steps}")
    assert places_of(source, "step_input", "reversed") == ([(None, 21)] if is_turned else [])
    assert places_of(source, "collected", "h") == [(None, 22)]


FOLDED = """        def step(state, xt):
            h, c = state
            h, c = self.cell(xt, h, c)
            return h, c
        h, c = {fold}
"""


@pytest.mark.parametrize("fold", ["reduce(step, tf.unstack(x, axis=1), (h, c))", "tf.foldl(step, x, (h, c))"])
@pytest.mark.parametrize(
    ("was", "becomes", "word", "line"),
    [
        ("return h, c", "return c, h", "swapped", 9),
        ("(xt, h, c)", "(xt, c, h)", "swapped", 8),
        ("h, c = self", "h, new_c = self", "c_lost", 8),
    ],
)
def test_the_step_of_a_fold_is_followed(fold: str, was: str, becomes: str, word: str, line: int) -> None:
    start = LSTM[: LSTM.index("        hs = []")]
    source = start + FOLDED.replace(was, becomes).format(fold=fold) + "        return h\n"
    assert places_of(start + FOLDED.format(fold=fold), "passed_on", word) == []
    assert places_of(source, "passed_on", word) == [(None, line)]


OWN_STEP = """    def step(self, x, h, c):
        i = tf.sigmoid(self.cell.fcXI(x) + self.cell.fcHI(h))
        f = tf.sigmoid(self.cell.fcXF(x) + self.cell.fcHF(h))
        c = f * c + i * tf.tanh(self.cell.fcXC(x) + self.cell.fcHC(h))
        h = tf.sigmoid(self.cell.fcXO(x) + self.cell.fcHO(h)) * tf.tanh(c)
        return h, c
"""


@pytest.mark.parametrize(
    ("was", "becomes", "line"),
    [
        ("", "", None),
        ("return h, c", "return c, h", 9),
        ("h, c = self.cell", "c, h = self.cell", 14),
    ],
)
def test_states_in_two_orders_are_marked_where_the_order_changes(was: str, becomes: str, line: int | None) -> None:
    start, end = LSTM.split("    def call")
    source = f"{start}{OWN_STEP}    def call{end}".replace(was, becomes).replace("self.cell(x", "self.step(x")
    assert places_of(source, "passed_on", "swapped") == ([(None, line)] if line else [])


@pytest.mark.parametrize(("dtype", "found"), [("tf.float16", [(None, 9)]), ("'half'", [(None, 9)]), ("tf.bool", [])])
def test_a_cast_to_a_type_of_few_digits_is_marked(dtype: str, found: list[tuple[None, int]]) -> None:
    assert places_of(LSTM.replace("append(h)", f"append(tf.cast(h, {dtype}))"), "line", "short") == found


def test_random_numbers_are_marked_in_call_but_not_where_weights_are_made() -> None:
    noisy = LSTM.replace("hs.append(h)", "hs.append(h + tf.random.normal(tf.shape(h)))")
    assert places_of(noisy, "line", "random") == [(None, 9)]
    weights = "self.w = tf.Variable(tf.random.normal((3, 12)))\n    def call"
    drawn = LSTM.replace("    def call", f"        {weights}").replace("append(h)", "append(h @ self.w)")
    assert places_of(drawn, "line", "random") == []


def test_states_of_any_names_are_swapped_where_the_loop_names_them() -> None:
    start, end = LSTM.split("    def call")
    source = f"{start}{OWN_STEP}    def call{end}".replace("self.cell(x", "self.step(x")
    source = re.sub(r"\bc\b", "kept", re.sub(r"\bh\b", "shown", source))
    assert places_of(source, "passed_on", "swapped") == []
    swapped = source.replace("shown, kept = self.step", "kept, shown = self.step")
    assert places_of(swapped, "passed_on", "swapped") == [(None, 14)]


@pytest.mark.parametrize(("fields", "line"), [("h c", None), ("c h", 11)])
def test_a_named_tuple_with_its_fields_exchanged_is_marked_where_it_is_made(fields: str, line: int | None) -> None:
    step = OWN_STEP.replace("x, h, c):", "x, s):\n        h, c = s.h, s.c").replace("return h, c", "return S(h, c)")
    start, end = LSTM.replace("h, c = self.cell(x[:, t], h, c)", "s = self.step(x[:, t], s)").split("    def call")
    call = end.replace("hs = []", "hs, s = [], S(h=h, c=c)").replace("append(h)", "append(s.h)")
    source = f'S = namedtuple("S", "{fields}")\n{start}{step}    def call{call}'
    assert places_of(source, "passed_on", "swapped") == ([(None, line)] if line else [])


def test_rows_that_are_added_to_a_list_are_collected() -> None:
    source = CELL.replace("hs.append(h)", "hs += list(h)").replace("tf.stack(hs, axis=1)", "tf.reshape(hs, (2, 9, 3))")
    assert places_of(source, "collected", "h") == [(None, 22)]
    assert places_of(source, "stacking", "reshape") == [(None, 23)]


@pytest.mark.parametrize("update", ['s = {{"h": {h}, "c": {c}}}', "s = dict(h={h}, c={c})", "s.update(h={h}, c={c})"])
def test_states_in_a_dictionary_are_followed(update: str) -> None:
    def source(h: str, c: str) -> str:
        return LSTM.replace("hs = []", 'hs, s = [], {"h": h, "c": c}').replace(
            "            h, c = self.cell(x[:, t], h, c)\n",
            f'            h, c = self.cell(x[:, t], s["h"], s["c"])\n            {update.format(h=h, c=c)}\n',
        )

    assert places_of(source("h", "c"), "passed_on", "swapped") == []
    assert places_of(source("c", "h"), "passed_on", "swapped") == [(None, 9)]


@pytest.mark.parametrize(
    ("start", "used", "kept", "lines"),
    [
        ("h, c", "s[0], s[1]", "c, h", [9]),
        ("h, c", "s[1], s[0]", "h, c", [8]),
        ("tf.zeros((2, 3)), tf.zeros((2, 3))", "s[0], s[1]", "c, h", [8, 9]),
    ],
)
def test_names_of_states_say_which_line_swaps_them(start: str, used: str, kept: str, lines: list[int]) -> None:
    call = "            h, c = self.cell(x[:, t], h, c)\n"
    source = LSTM.replace("hs = []", f"hs, s = [], [{start}]")
    source = source.replace(call, call.replace("], h, c)", f"], {used})") + f"            s = [{kept}]\n")
    assert places_of(source, "passed_on", "swapped") == [(None, line) for line in lines]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("return tf.stack([self.cell(x[:, t], h0, c0)[0] for t in range(x.shape[1])], axis=1)", 19),
        (
            "hs = []\n        for t in range(9):\n            h, _ = self.cell(x, h0, c0)\n            hs.append(h)",
            21,
        ),
    ],
)
def test_a_loop_that_passes_nothing_on_is_told_of_the_line_of_its_cell(body: str, line: int) -> None:
    start = CELL[: CELL.index("        h, c = tf.zeros")].replace("[:, t]", "")
    source = f"{start}        h0 = c0 = tf.zeros((2, 3))\n        {body}\n"
    source += "" if "return tf" in body else "        return tf.stack(hs, axis=1)\n"
    assert places_of(source, "passed_on", "c_lost") == [(None, line)]


def test_a_cell_that_is_handed_in_is_followed() -> None:
    source = CELL.replace(
        "def __init__(self, n):\n        self.cell = LSTMCell(n)", "def __init__(self, cell):\n        self.cell = cell"
    )
    assert places_of(source, "update_c") == []
    for model in ("LSTM(LSTMCell(3))", "LSTM(cell=LSTMCell(3))"):
        assert places_of(f"{source}model = {model}\n", "update_c", "usual") == [(None, 11)]


@pytest.mark.parametrize(
    ("last", "is_endless"),
    [("pass", True), ("t + 1", True), ("t += 1", False), ("t = len(hs)", False), ("if len(hs) > 5: break", False)],
)
def test_a_loop_that_nothing_ends_is_found(last: str, is_endless: bool) -> None:
    source = CELL.replace("for t in range(x.shape[1]):", f"while t < x.shape[1]:\n            {last}")
    assert places_of(source, "loop", "endless") == ([(None, 20)] if is_endless else [])


def test_a_gate_is_known_by_the_name_of_its_sum() -> None:
    split = CELL.replace("f = tf.sigmoid(self.fcXF(x) + self.fcHF(h))", "f = x @ self.w + h @ self.u")
    assert places_of(split.replace("f * c", "tf.sigmoid(f + 1.0) * c"), "sum", "number") == [("F", 11)]


JOINED = """class LSTM(tf.keras.Model):
    def build(self, shape):
        self.w = self.add_weight(shape=(9, 12))
        self.b = self.add_weight(shape=(12,))
    def call(self, x):
        h = c = tf.zeros((2, 3))
        hs = []
        for t in range(x.shape[1]):
            z = tf.concat([x[:, t], h], 1) @ self.w + self.b
            f, i, o, u = tf.split(z, 4, axis=1)
            u = tf.sigmoid(u)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * u
            h = tf.sigmoid(o) * tf.tanh(c)
            hs.append(h)
        return tf.stack(hs, axis=1)
"""


@pytest.mark.parametrize(
    ("was", "becomes", "line"),
    [
        ("", "", 11),
        ("tf.split(z, 4, axis=1)\n            u = tf.sigmoid(u)", "map(tf.sigmoid, tf.split(z, 4, axis=1))", 10),
    ],
)
def test_the_one_gate_without_a_name_gets_the_letter_that_is_left(was: str, becomes: str, line: int) -> None:
    assert ("C", line) in places_of(JOINED.replace(was, becomes), "activation", "sigmoid")


@pytest.mark.parametrize(("bias", "is_told"), [(" + self.b", False), ("", True)])
def test_a_bias_that_is_not_added_to_a_product_of_x_and_h_together_is_found(bias: str, is_told: bool) -> None:
    told = places_of(JOINED.replace(" + self.b", bias), "sum", "no_bias_added")
    assert sorted(told) == ([(gate, 9) for gate in "CFIO"] if is_told else [])


@pytest.mark.parametrize(
    ("body", "is_told"),
    [
        ("return tf.tanh(self.fc(x))", True),
        ("return tf.stack([self.fc(x[:, t]) for t in range(x.shape[1])])", False),
        ("return tf.map_fn(self.fc, x)", False),
        ("return self.call(x[:, 1:]) + self.fc(x)", False),
        ("exec('for t in x: pass')\n        return self.fc(x)", False),
    ],
)
def test_a_class_that_repeats_nothing_is_told_so(body: str, is_told: bool) -> None:
    source = f"{HEAD}        self.fc = tf.keras.layers.Dense(units)\n    def call(self, x):\n        {body}\n"
    assert bool(places_of(source, "returned", "no_loop")) == is_told


def test_the_name_that_a_loop_gives_to_each_layer_belongs_to_no_gate() -> None:
    source = """class LSTM(tf.keras.Model):
    def __init__(self, n):
        self.of_x = [tf.keras.layers.Dense(n) for _ in range(4)]
        self.of_h = [tf.keras.layers.Dense(n) for _ in range(4)]
    def call(self, x):
        h = c = tf.zeros((2, 3))
        hs = []
        for t in range(x.shape[1]):
            s = [fx(x[:, t]) + fh(h) for fx, fh in zip(self.of_x, self.of_h)]
            i, f, g = tf.sigmoid(s[0]), tf.sigmoid(s[1]), tf.tanh(s[2])
            o = tf.sigmoid(s[1])
            c = f * c + i * g
            h = o * tf.tanh(c)
            hs.append(h)
        return tf.stack(hs, axis=1)
"""
    assert sorted(places_of(source, "activation")) == [("C", 10), ("F", 10), ("I", 10), ("O", 11)]
    assert places_of(source, "sum", "shared") == [("O", 11), ("F", 10)]


def test_return_of_nothing_is_found() -> None:
    assert places_of(CELL.replace("tf.stack(hs, axis=1)", "hs.append(h)"), "returned", "none") == [(None, 23)]
    assert places_of(CELL.replace("return tf.stack(hs, axis=1)", "pass"), "returned") == []


@pytest.mark.parametrize("answer", ["h", "hs[-1]", "hs.pop()", "tf.stack(hs, axis=1)[:, -1]", "tf.expand_dims(h, 1)"])
def test_return_statement_is_found_whatever_it_returns(answer: str) -> None:
    assert places_of(CELL.replace("tf.stack(hs, axis=1)", answer), "returned", "answer") == [(None, 23)]


STEP = """hs = []
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], h, c)"""
F_GATE = "tf.sigmoid(self.fcXF(x) + self.fcHF(h))"


@pytest.mark.parametrize(
    ("was", "becomes", "part", "word", "expected"),
    [
        ("f * c + i * ch", "i * c + f * ch", "update_c", "swapped", [(None, 11)]),
        ("f * c + i * ch", "f * c - i * ch", "update_c", "odd", [(None, 11)]),
        ("o * tf.tanh(c)", "o * c", "update_h", "odd", [(None, 12)]),
        ("self.fcXI(x) + self.fcHI(h)", "self.fcXI(x) * self.fcHI(h)", "sum", "product", [("I", 7)]),
        ("self.fcXI(x) + self.fcHI(h)", "self.fcXI(x) + self.fcHF(h)", "sum", "mixed", [("I", 7)]),
        ("self.fcXF(x) + ", "self.fcXF(x) + 1 + ", "sum", "number", [("F", 8)]),
        ("f = tf.sigmoid(", "f = tf.nn.relu(", "activation", "relu", [("F", 8)]),
        (F_GATE, "1 / (1 + tf.exp(self.fcXF(x) + self.fcHF(h)))", "activation", "exp", [("F", 8)]),
        ("f = tf.sigmoid(", "f = 0.5 * tf.sqrt(", "activation", "sqrt", [("F", 8)]),
        ("self.fcXF(x) +", "2 * self.fcXF(x) +", "sum", "factor", [("F", 8)]),
        ("self.fcHO(h)", "self.fcHO(ch)", "sum", "hears_gate", [("O", 10)]),
        (F_GATE, f"tf.clip_by_value({F_GATE}, 0.1, 1)", "sum", "clip_by_value", [("F", 8)]),
        ("x[:, t]", "(x[:, t] + x[:, t - 1] if t > 0 else x[:, t])", "step_input", "other_step", [(None, 21)]),
        ("x[:, t]", "tf.cast(x[:, t], tf.int32)", "step_input", "cast", [(None, 21)]),
        ("f * c + i * ch", "f * c + tf.maximum(i, 0.1) * ch", "update_c", "maximum", [(None, 11)]),
        ("range(x.shape[1])", "reversed(range(x.shape[1]))", "loop", "reversed", [(None, 20)]),
        ("range(x.shape[1])", "range(x.shape[1] - 1, -1, -1)", "loop", "reversed", [(None, 20)]),
        ("x[:, t], h, c)", "x[:, t], c, h)", "passed_on", "swapped", [(None, 21)]),
        ("h, c = self.cell(", "h, _ = self.cell(", "passed_on", "c_lost", [(None, 21)]),
        ("x[:, t]", "x[:, 0]", "step_input", "fixed_step", [(None, 21)]),
        ("x[:, t]", "x[:, -t]", "step_input", "reversed", [(None, 21)]),
        ("x[:, t]", "x[:, x.shape[1] - 1 - t]", "step_input", "reversed", [(None, 21)]),
        ("x[:, t]", "x[:, t - 1]", "step_input", "reversed", []),
        (STEP, STEP.replace("x[:, t]", "z").replace("            h", "            z += x[:, t]\n            h")
         .replace("hs = []", "hs, z = [], 0.0"), "passed_on", "third", [(None, 21)]),
        (STEP, STEP.replace("x[:, t]", "x[:, n]").replace("            h", "            n += 1\n            h")
         .replace("hs = []", "hs, n = [], -1"), "passed_on", "third", []),
        # The memory itself, where h is made of more than the new one.
        ("c = f * c + i * ch\n        h = o * tf.tanh(c)",
         "old, c = c, f * c + i * ch\n        h = o * tf.tanh(c + old)", "passed_on", "third", []),
        ("hs.append(h)", "hs.append(c)", "collected", "c", [(None, 22)]),
        ("stack(hs, ", "stack(hs[::-1], ", "stacking", "reversed", [(None, 23)]),
        ("hs.append(h)", "hs.insert(0, h)", "collected", "reversed", [(None, 22)]),
        ("hs.append(h)", "hs = hs + [tf.reverse(h, [1])]", "collected", "reversed", [(None, 22)]),
        ("hs.append(h)", "hs = [h] + hs", "collected", "reversed", [(None, 22)]),
        ("hs.append(h)", "hs[n - 1 - t] = h", "collected", "reversed", [(None, 22)]),
        ("hs.append(h)", "hs[:, -t - 1] = h", "collected", "reversed", [(None, 22)]),
        ("hs.append(h)", "hs = hs.write(n - (t + 1), h)", "collected", "reversed", [(None, 22)]),
        ("hs.append(h)", "hs[t - n] = h", "collected", "reversed", []),
        ("c = tf.zeros((2, 3)), tf.ones((2, 3))", "c = [tf.zeros((3, x.shape[0]))] * 2", "initial_state", "turned",
         [(None, 18)]),
        ("c = tf.zeros((2, 3)), tf.ones((2, 3))", "c = [self.first(x[:, 0])] * 2", "initial_state", "from_x",
         [(None, 18)]),
        ("c = tf.zeros((2, 3)), tf.ones((2, 3))", "c = [tf.zeros_like(x[:, 0]), 0 * x[:, 0]]", "initial_state",
         "from_x", []),
        ("return tf.stack", "return h, tf.stack", "returned", "sequence", [(None, 23)]),
    ],
)  # fmt: skip
def test_an_oddity_is_told_of_its_line_alone(
    was: str, becomes: str, part: str, word: str, expected: list[tuple[str | None, int]]
) -> None:
    assert was in CELL
    assert places_of(CELL, part, word) == []
    assert places_of(CELL.replace(was, becomes), part, word) == expected


def test_states_made_before_the_loop_are_no_update() -> None:
    states = """state = {"h": tf.zeros((2, 3)), "c": tf.zeros((2, 3))}
        hs = []
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], state["h"], state["c"])
            state = {"h": h, "c": c}"""
    begun = CELL.replace("h, c = tf.zeros((2, 3)), tf.ones((2, 3))\n        " + STEP, states)
    begun = begun.replace("o * tf.tanh(c)", "o * tf.tanh(old)").replace(
        "        c = f *", "        old = c\n        c = f *"
    )
    assert places_of(begun, "update_h") == [(None, 13)]


def test_the_larger_of_two_layers_is_no_limit_and_belongs_to_its_gate() -> None:
    larger = CELL.replace("self.fcXF(x) + self.fcHF(h)", "tf.maximum(self.fcXF(x), self.fcHF(h))")
    assert ("F", 8) in places_of(larger, "sum")
    assert places_of(larger, "update_c", "maximum") == []


LOOP = "        h = x\n        for t in x:\n            z = tf.keras.layers.Dense(3)(h)\n"
END = "            h = tf.sigmoid(z)\n        return h"


LOOP = """        hs = []
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], h, c)
            hs.append(h)
"""
WHILE = """        hs, t = [], {start}
        while {test}:
            h, c = self.cell(x[:, t], h, c)
            t {step}
            hs.append(h)
            {then}
"""
ROWS = """        hs = []
        for row in x:
            {inside}
            for e in row:
                h, c = self.cell(e[None], h, c)
                {collect}
"""


@pytest.mark.parametrize(
    ("loop", "found"),
    [
        (WHILE.format(start=0, test="t < 9", step="+= 1", then="pass"), []),
        (WHILE.format(start=0, test="t < 9", step="+= 2", then="pass"), [("loop", "every_second", 9)]),
        (WHILE.format(start=0, test="t < 9", step="= t + 1", then="t += 1"), [("loop", "every_second", 11)]),
        (WHILE.format(start="x.shape[1] - 1", test="t >= 0", step="-= 1", then="pass"), [("loop", "reversed", 9)]),
        (WHILE.format(start=0, test="t < n - 1", step="+= 1", then="pass"), [("loop", "short", 7)]),
        (LOOP.replace("            h,", "            if t > 0: h,"), [("loop", "choice", 8)]),
        (LOOP.replace("(h)", "(h if t else c)"), [("loop", "choice", 9)]),
        (LOOP.replace("            h,", "            if t > 0: print(t)\n            h,"), []),
        (LOOP.replace("            h,", "            hs = []\n            h,"), [("collected", "begun_anew", 8)]),
        (ROWS.format(inside="h, c = h0, c0", collect="hs.append(h)"), []),
        (ROWS.format(inside="pass", collect="hs.append(h)"), [("initial_state", "carried", 5)]),
        (LOOP.replace("h, c = self", "h, _ = self"), [("passed_on", "c_lost", 8)]),
    ],
)  # fmt: skip
def test_slips_of_a_loop_are_told_of_their_lines(loop: str, found: list[tuple[str, str, int]]) -> None:
    told = {("loop", word) for word in ("every_second", "reversed", "short", "choice")}
    told |= {("collected", "begun_anew"), ("initial_state", "carried"), ("passed_on", "c_lost")}
    start = LSTM[: LSTM.index("        hs = []")]
    source = (
        start.replace("h, c = tf.zeros", "h0, c0 = h, c = tf.zeros") + loop + "        return tf.stack(hs, axis=1)\n"
    )
    words = [(each["part"], word, each["first_line"]) for each in parts_of(source) for word in each["what"]]
    assert [each for each in words if each[:2] in told] == found


def test_of_two_loops_with_cells_no_part_is_told() -> None:
    twice = CELL.replace("        hs = []\n", "") + CELL.split("        hs = []\n")[1]
    doubled = twice.replace("return tf.stack(hs, axis=1)", "hs = [h]", 1)
    assert places_of(doubled, "sum") == []


HOSTILE = {
    "long sum": "        return " + "+".join(["x"] * 120),
    "deep": "        return " + "(" * 80 + "x" + ")" * 80,
    "recursion": "        return self.call(x) + self.call(x)",
    "omega": "        f = lambda g: g(g)\n        return f(f)",
    "loops": "        while x:\n" + "".join(f"{' ' * (12 + n)}while x:\n" for n in range(15)) + " " * 40 + "x = x + x",
    "nested": (
        "        for a in x:\n            for b in x:\n                for c in x: x = [x, x]\n        return x"
    ),
    "product": "        y = [x] * 16\n" + "        y = y * 16\n" * 20 + "        return y",
    "text": "        y = 'a' * 100\n" + "        y = y + y\n" * 60 + "        return y",
    "power": "        y = 9\n" + "        y = y * y\n" * 60 + "        return y",
    "itself": "        y = []\n        for t in x:\n            y.append(y)\n        return y",
    "all": "        return [[[[a for a in 'abcdefgh'] for b in 'abcdefgh'] for c in 'abcdefgh'] for d in 'abcdefgh']",
    "sums": LOOP + "            z = z + z\n" * 60 + END,
    "joined": LOOP + "            z = tf.concat([z, z], 1)\n" * 60 + END,
    "zipped": LOOP + "            z = zip(z, z)\n" * 60 + "            for a in z: h = a\n" + END,
    "map": "        y = {}\n        y[0] = y\n        for t in x:\n            y = (y, y)\n        return y",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_code_is_bounded_in_time_and_size(body: str) -> None:
    source = f"{HEAD}    def call(self, x):\n{body}\n"
    ast.parse(source)
    before = time.process_time()
    assert len(parts_of(source)) <= 120
    assert time.process_time() - before < 20  # It takes one or two; without a bound, hours.
