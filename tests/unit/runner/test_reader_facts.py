"""Facts about the class in its source: its call, the global x, odd letters, orders, and code that was superseded."""

import pytest

HEAD = "class LSTM(tf.keras.Model):\n    def __init__(self, n, k=1):\n        self.next = LSTM(n)\n"


def in_call(*lines: str) -> str:
    return "class LSTM(tf.keras.Model):\n    def call(self, inputs):\n" + "".join(f"        {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("uses", "args", "kwargs"),
    [
        ("m = LSTM(H_SIZE, k=EMB_SIZE // 2)", ["H_SIZE"], {"k": "EMB_SIZE // 2"}),
        ("m = LSTM(H_SIZE)\nm = tf.keras.Sequential([LSTM(8)])", ["H_SIZE"], {}),
        ("m = LSTM(32)\nm = LSTM(8)", ["32"], {}),
        ("m = LSTM(8)\nm = LSTM(9)", ["9"], {}),
        ("class Two:\n    def __init__(self, n):\n        self.a = LSTM(n)\nm = LSTM(H_SIZE)", ["H_SIZE"], {}),
        ("def main():\n    size = 32\n    m = LSTM(size)\nmain()", ["32"], {}),
        ("Mine = LSTM\nm = Mine(H_SIZE)", ["H_SIZE"], {}),
        ("m = LSTM(**config)", [], {}),
    ],
)
def test_the_students_own_call_is_found(read, uses: str, args: list[str], kwargs: dict[str, str]) -> None:
    assert read(f"{HEAD}{uses}\n")["call_site"] == {"args": args, "kwargs": kwargs}


def test_calls_inside_the_class_and_of_keras_own_are_not_the_students(read) -> None:
    assert read(HEAD + "m = tf.keras.layers.LSTM(32)\n")["call_site"] is None
    assert read("from keras.layers import LSTM\nl = LSTM(32)\n" + HEAD)["call_site"] is None


def test_names_in_the_call_are_defined_when_it_is_repeated(read, run_lines) -> None:
    reading = read(HEAD + "hidden = 32\nother = 3\nm = LSTM(hidden)\n")
    assert run_lines(reading) == ["class LSTM(tf.keras.Model):", "hidden = 32"]


@pytest.mark.parametrize(
    ("line", "shape_only"),
    [
        ("b, t, e = x.shape", True),
        ("n = len(x)", True),
        ("n = tf.shape(x)[1]", True),
        ("h = tf.zeros_like(x[:, 0])", True),
        ("y = x[:, 0]", False),
        ("y = inputs[x].shape", False),
        ("y = x.shape[0] + x", False),
    ],
)
def test_reads_of_the_global_x(read, line: str, shape_only: bool) -> None:
    assert read(in_call(line))["global_x"] == [{"line": 3, "shape_only": shape_only}]


@pytest.mark.parametrize("line", ["y = [x for x in inputs]", "f = lambda x: x", "x = inputs; return x", "y = self.x"])
def test_another_x_is_not_the_global_one(read, line: str) -> None:
    assert read(in_call(line))["global_x"] == []


def test_an_x_that_an_odd_letter_keeps_from_being_the_argument_is_not_the_global_one(read) -> None:
    reading = read("class LSTM:\n    def call(self, х):\n        return x\n")
    assert (reading["homoglyphs"][0]["looks_like"], reading["global_x"]) == ("x", [])


def test_global_x_counts_only_where_the_class_comes(read) -> None:
    used = "def helper(v):\n    return x\ndef unused():\n    return x\n" + in_call("return helper(inputs)")
    assert read(used)["global_x"] == [{"line": 2, "shape_only": False}]


@pytest.mark.parametrize(
    ("text", "name", "looks_like", "line"),
    [
        ("class LSTM:\n    def call(self, х):\n        return x\n", "х", "x", 2),
        ("class LSTM:\n    def call(self, x):\n        return х\n", "х", "x", 3),
        (
            "class LSTM:\n    def __init__(s):\n        s.fсXI = 1\n    def call(s, x):\n        return s.fcXI\n",
            "fсXI",
            "fcXI",
            3,
        ),
        ("class LSTM:\n    def саll(self, x):\n        return x\n", "саll", "call", 2),
        ("class LSTM:\n    def call(self, x):\n        return Dense(3, use_biаs=False)\n", "use_biаs", "use_bias", 3),
        ("class LSTM:\n    def call(self, x, c):\n        с = x * c\n        return c\n", "с", "c", 3),
    ],
)
def test_a_letter_that_only_looks_latin_is_found(read, text: str, name: str, looks_like: str, line: int) -> None:
    assert read(text)["homoglyphs"] == [{"name": name, "looks_like": looks_like, "line": line}]


@pytest.mark.parametrize(
    "text",
    [
        "class LSTM:\n    def call(self, х):\n        for шаг in х: self.выход = шаг\n        return self.выход\n",
        "class LSTM:\n    def a(self, х):\n        return х\n    def b(self, x):\n        return x\n",
        "class LSTM:\n    def call(self, x):\n        с = x\n        c = с\n        return c\n",
        "class LSTM:\n    def call(self, размер=3):\n        return f(размер=размер)\n",
    ],
)
def test_russian_names_that_are_used_as_they_are_written_are_fine(read, text: str) -> None:
    assert read(text)["homoglyphs"] == []


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("z = tf.concat([x, h], 1)", "xh"),
        ("z = tf.concat(axis=1, values=(h_prev, inputs))", "hx"),
        ("z = tf.keras.layers.Concatenate()([h_t, x_t])", "hx"),
        ("z = np.hstack([hidden_state, token])", "hx"),
        ("z = tf.concat([h, hs], 1)", None),
        ("z = tf.concat([x, h], 1); y = tf.concat([h, x], 1)", None),
        ("z = tf.concat([x, h, c], 1)", None),
        ("z = tf.concat(parts, 1)", None),
    ],
)
def test_the_order_of_a_joined_input(read, line: str, order: str | None) -> None:
    assert read(in_call(line))["joined"] == order


OLD, NEW = in_call("return x[0]"), in_call("return inputs[0]")
OLD_CELL, CELL = OLD.replace("LSTM(", "LSTMCell("), NEW.replace("LSTM(", "LSTMCell(")
USES_CELL = in_call("return LSTMCell(H_SIZE)(inputs)")


@pytest.mark.parametrize(
    "cells",
    [
        (OLD, NEW),
        (OLD, "m = LSTM(H_SIZE)\nm(x)", NEW, "m = LSTM(H_SIZE)"),
        (OLD, OLD, NEW),
        (OLD, NEW + "    def build(self, shape):\n        super(LSTM, self).build(shape)\n"),
        (OLD_CELL, USES_CELL, CELL, USES_CELL),
        (OLD_CELL, CELL, USES_CELL),
        (OLD_CELL, USES_CELL, NEW),
        ("def gates(z):\n    return x[0]\n", in_call("return gates(inputs)"), NEW),
        (OLD_CELL, "def make():\n    return LSTMCell(3)\n", CELL, in_call("return make()")),
    ],
    ids=["class", "used_and_left", "twice", "late_read", "cell_and_class", "cell", "cell_left", "helper", "made_later"],
)
def test_a_superseded_definition_says_nothing_about_the_class(read_cells, cells: tuple[str, ...]) -> None:
    assert read_cells(*cells)["global_x"] == []


@pytest.mark.parametrize(
    "cells",
    [
        (OLD, NEW.replace("tf.keras.Model", "LSTM")),
        (OLD, "Base = LSTM", NEW.replace("tf.keras.Model", "Base")),
        (OLD, "LSTM.units = 3", NEW),
        (OLD_CELL, "cell = LSTMCell(3)", CELL, in_call("return cell(LSTMCell(3)(inputs))")),
        (OLD_CELL, "def make():\n    return LSTMCell(3)\n", "cell = make()", CELL, in_call("return cell(LSTMCell)")),
        (OLD_CELL, "class Two:\n    cell = LSTMCell(3)\n", CELL, in_call("return Two.cell(LSTMCell)")),
        ("@keep\n" + OLD, NEW),
        (OLD, "if True:\n    pass\n    " + NEW.replace("\n", "\n    ")),
    ],
    ids=["base", "alias", "patched", "instance", "by_a_function", "in_a_class", "decorated", "in_a_branch"],
)
def test_a_definition_that_something_may_use_before_the_next_one_counts(read_cells, cells: tuple[str, ...]) -> None:
    assert read_cells(*cells)["global_x"] != []


def test_the_order_of_a_joined_input_is_not_taken_from_a_superseded_class(read_cells) -> None:
    reading = read_cells(in_call("z = tf.concat([h, x], 1)"), in_call("z = tf.concat([x, h], 1)"))
    assert reading["joined"] == "xh"


@pytest.mark.parametrize(
    "line", ["с = inputs * c\n        return c", "return Dense(3, use_biаs=False)", "return self.fсXI"]
)
def test_odd_letters_of_a_superseded_class_are_no_cause(read_cells, line: str) -> None:
    old = (
        f"class LSTM:\n    def __init__(self):\n        self.fcXI = 1\n    def call(self, inputs, c):\n        {line}\n"
    )
    assert len(read_cells(old)["homoglyphs"]) == 1
    assert read_cells(old, NEW)["homoglyphs"] == []


def test_a_superseded_class_or_helper_does_not_read_the_global_x(read_cells) -> None:
    helper = "def run(v):\n    return x\n"
    uses = in_call("return run(inputs)")
    assert read_cells(in_call("return x[:, 0]"), NEW)["global_x"] == []
    assert read_cells(helper, uses)["global_x"] == [{"line": 2, "shape_only": False}]
    assert read_cells(helper, helper.replace("x", "v"), uses)["global_x"] == []
