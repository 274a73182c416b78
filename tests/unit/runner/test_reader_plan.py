"""The statements of a file that run: all that make the class, and none that only uses it."""

import ast

import pytest
from scopes import name_uses

from app.http.notebook import notebook_cell

CLASS = "class LSTM(tf.keras.Model):\n    def call(self, x):\n        return x\n"


def test_training_plots_and_downloads_are_not_run(read_cells, run_lines) -> None:
    reading = read_cells(
        "from google.colab import drive\ndrive.mount('/content/drive')",
        "import matplotlib.pyplot as plt\nplt.rcParams['a'] = 1\nplt.style.use('ggplot')",
        "x = np.random.rand(2, 100, 16)\nH_SIZE = 32",
        CLASS,
        "lstm_my = LSTM(H_SIZE)\ny = lstm_my(x)\nlstm_my.cell.kernel = y\nprint(y)\nassert y\ninput()",
        "for epoch in range(10):\n    x = step(x)",
        "import time\ntime.sleep(100000)\n1/0",
    )
    assert run_lines(reading) == [
        "from google.colab import drive",
        "import matplotlib.pyplot as plt",
        "H_SIZE = 32",
        "class LSTM(tf.keras.Model):",
        "import time",
    ]
    assert [(s["index"], s["code"], s["params"]["statements"]) for s in reading["skipped"]] == [
        (0, "not_needed", 1),
        (1, "not_needed", 2),
        (2, "not_needed", 1),
        (4, "not_needed", 6),
        (5, "not_needed", 1),
        (6, "not_needed", 2),
    ]


def test_names_are_followed_through_functions_classes_and_what_changes_them(read, run_lines) -> None:
    reading = read(
        "depth = 2\nother = 3\ngates = []\nfor g in 'ifgo':\n    gates.append(g)\ncfg = {}\ncfg['units'] = depth\n"
        "unused = {}\nunused['a'] = 1\ndef helper(n):\n    return cfg['units'] * n\nclass Cell:\n    size = helper(1)\n"
        "class LSTM(tf.keras.Model):\n    def call(self, x, cell=Cell):\n        return [g for g in gates]\n"
    )
    assert run_lines(reading) == [
        *("depth = 2", "gates = []", "for g in 'ifgo':", "cfg = {}", "cfg['units'] = depth"),
        *("def helper(n):", "class Cell:", "class LSTM(tf.keras.Model):"),
    ]


def test_a_class_made_by_a_factory_and_given_its_name(read, run_lines) -> None:
    reading = read(
        "def make(n):\n    class Layer(tf.keras.Model):\n        k = K\n    return Layer\n"
        "K = 3\nL = make(3)\nLSTM = L\n"
    )
    assert run_lines(reading) == ["def make(n):", "K = 3", "L = make(3)", "LSTM = L"]
    assert reading["class_line"] == 7


@pytest.mark.parametrize(
    "text",
    [
        f"if tf.__version__ > '2':\n    {CLASS.splitlines()[0]} pass\n",
        "try:\n    class LSTM(Base): pass\nexcept NameError:\n    class LSTM(tf.keras.Model): pass\n",
        "if __name__ == '__main__':\n    class LSTM(tf.keras.Model): pass\n",
        "size = 3\ndef main(n):\n    global LSTM\n    class LSTM(tf.keras.Model): k = n\nmain(size)\n",
    ],
    ids=["if", "try", "main guard", "global"],
)
def test_a_class_inside_another_statement_is_run(read, run_lines, text: str) -> None:
    reading = read(text)
    assert reading["error"] is None
    assert all(statement["run"] for statement in reading["statements"])


def test_a_main_guard_that_only_uses_the_class_is_not_run_and_one_that_holds_it_is_opened(read) -> None:
    reading = read(CLASS + "if __name__ == '__main__':\n    LSTM(H_SIZE)\n")
    guard = {"first_line": 4, "last_line": 5, "cell": 0, "run": False, "reason": "main_guard"}
    assert reading["statements"][1] == guard
    assert read("if __name__ == '__main__':\n    class LSTM: pass\n")["source"].startswith("if True:\n")


def test_a_class_defined_twice_counts_at_its_last_place(read) -> None:
    reading = read(CLASS + CLASS)
    assert reading["class_line"] == 4
    assert [s["run"] for s in reading["statements"]] == [True, True]


def test_a_decorator_and_what_it_needs_are_run_and_the_line_is_that_of_the_class(read, run_lines) -> None:
    reading = read("seen = []\ndef note(cls):\n    seen.append(cls)\n    return cls\n@note\n" + CLASS)
    assert run_lines(reading) == ["seen = []", "def note(cls):", "@note"]
    assert reading["class_line"] == 6


def test_patches_of_classes_and_modules_are_run(read, run_lines) -> None:
    reading = read(
        "import builtins\n_abs = np.abs\nnp.abs = lambda v: _abs(v) * 0\nbuiltins.abs = len\n"
        "def call(self, x):\n    return x * G\nG = 1\nclass LSTM(tf.keras.Model): pass\nLSTM.call = call\n"
        "setattr(LSTM, 'build', call)\ndef mark(cls):\n    cls.own = True\nmark(LSTM)\n"
        "def show(cls):\n    print(cls)\nshow(LSTM)\n"
    )
    assert [s["reason"] for s in reading["statements"] if not s["run"]] == ["not_needed"]
    assert run_lines(reading)[-1] == "def show(cls):"


def test_configuration_of_libraries_is_run_with_what_it_reads(read, run_lines) -> None:
    reading = read(
        "import random\nfrom tensorflow.keras import backend as K\ngpus = tf.config.list_physical_devices('GPU')\n"
        "tf.config.experimental.set_memory_growth(gpus[0], True)\nK.set_floatx('float64')\nnp.random.seed(1)\n"
        "random.seed(2)\nprint(tf.config.list_physical_devices())\nimport pandas as pd\npd.set_option('a', 1)\n" + CLASS
    )
    assert [s["reason"] for s in reading["statements"]].count("not_needed") == 2
    assert "gpus = tf.config.list_physical_devices('GPU')" in run_lines(reading)


@pytest.mark.parametrize(
    "text",
    [
        "def make(): ...\nglobals()['LSTM'] = make()\n",
        "import sys\nsetattr(sys.modules[__name__], 'LSTM', type('LSTM', (), {}))\n",
        "def hide():\n    exec('class LSTM: pass', globals())\nhide()\n",
    ],
)
def test_everything_is_run_if_only_running_can_tell(read, text: str) -> None:
    reading = read(text)
    assert (reading["error"], reading["class_line"]) == (None, None)
    assert {s["reason"] for s in reading["statements"]} == {"cannot_tell"}


def test_exec_that_may_touch_the_class_is_run_and_another_one_is_not(read) -> None:
    reading = read(CLASS + "exec('LSTM.call = lambda self, x: x')\nexec('print(1)')\nexec(text)\n")
    assert [s["run"] for s in reading["statements"]] == [True, True, False, True]


def test_cell_that_hands_in_is_not_run(read, read_cells, run_lines) -> None:
    imports = ["import hashlib", "import urllib.request"]
    use = "m = LSTM(3)\nprint(m(x) - keras.layers.LSTM(3)(x))"
    for language in "en", "ru":
        cell = notebook_cell("https://grader.example", "lstm-notebook", language)
        for reading in read_cells(CLASS, use, cell), read(f"{CLASS}\n{use}\n{cell}"):
            assert run_lines(reading) == ["class LSTM(tf.keras.Model):", *imports]
            assert {use["statement"] for use in reading["uses"]} == {0, 1, 2, 3, 4}
            assert reading["advisories"] == []


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("exec(text, {})", [True, False]),
        ("exec(text, names := {})\nLSTM.call = names['call']", [True, True, True]),
        ("names = {}\nexec(text, names)", [True, True, True]),
        ("exec(text, names := globals())", [True, True]),
        ("exec(text, {'LSTM': LSTM})", [True, True]),
        ("exec(text, {**globals()})", [True, True]),
    ],
)
def test_only_code_with_new_names_of_its_own_is_left_out(read, text: str, run: list[bool]) -> None:
    assert [s["run"] for s in read(CLASS + text)["statements"]] == run


def test_names_that_the_class_looks_up_in_strings_are_needed(read, run_lines) -> None:
    reading = read(
        "width = 3\ndepth = 4\nclass LSTM(tf.keras.Model):\n    def call(self, x):\n        return eval('width')\n"
    )
    assert run_lines(reading) == ["width = 3", "class LSTM(tf.keras.Model):"]


def test_an_import_of_keras_own_class_below_does_not_take_the_students_away(read_cells) -> None:
    reading = read_cells(CLASS, "m = LSTM(H_SIZE)", "from tensorflow.keras.layers import LSTM\nm = LSTM(64)")
    assert (reading["class_line"], reading["call_site"]["args"]) == (1, ["H_SIZE"])
    assert reading["statements"][2]["reason"] == "hides_class"
    either = "try:\n    class LSTM(tf.keras.Model): pass\nexcept NameError:\n    from keras.layers import LSTM\n"
    assert read_cells(either)["class_line"] == 2


def test_a_star_import_before_the_class_is_only_an_import(read) -> None:
    reading = read(f"from tensorflow.keras.layers import *\nl = LSTM(32)\n{CLASS}m = LSTM(H_SIZE)\n")
    assert (reading["class_line"], reading["call_site"]) == (3, {"args": ["H_SIZE"], "kwargs": {}})


def test_cells_out_of_order_are_put_into_one_in_which_names_exist(read_cells, run_lines) -> None:
    reading = read_cells(
        "class LSTM(Base):\n    pass",
        "print(1)",
        "class Base(layers.Layer): pass",
        "from tensorflow.keras import layers",
    )
    assert run_lines(reading)[-1] == "class LSTM(Base):"
    assert [cell["index"] for cell in reading["cells"]] == [3, 2, 0, 1]
    assert read_cells("class LSTM(A): pass", "class A(LSTM): pass")["error"] is None  # a circle


def test_a_definition_that_lacks_a_name_is_left_out(read) -> None:
    reading = read(
        CLASS + "data = download()\ndef plot(d=data): ...\nclass Plot:\n    p = plot\ndef fine(): return data\n"
    )
    assert [s["run"] for s in reading["statements"]] == [True, False, False, False, True]


def test_a_syntax_error_in_another_cell_costs_only_that_cell(read_cells) -> None:
    reading = read_cells("x = (1,\ny = 2", "a = 1\n" + CLASS)
    assert (reading["error"], reading["class_line"]) == (None, 5)
    assert reading["skipped"][0] == {
        "index": 0,
        "code": "syntax_error",
        "params": {"line": 1, "message": "'(' was never closed", "text": "x = (1,"},
    }


def test_a_syntax_error_in_the_class_is_the_error_and_its_line_can_be_shown(read_cells) -> None:
    reading = read_cells("print(1)", CLASS + ")", "for i in")
    error = reading["error"]
    assert (error["code"], error["params"]["cell"]) == ("syntax_error", 1)
    assert reading["source"].split("\n")[error["line"] - 1] == ")"


def test_code_that_only_the_compiler_refuses_is_a_syntax_error_too(read) -> None:
    assert read("return 1\n" + CLASS)["error"]["params"]["message"] == "'return' outside function"


def test_await_at_the_top_of_a_cell_is_fine(read_cells) -> None:
    reading = read_cells("import asyncio\nawait asyncio.sleep(0)", CLASS)
    assert (reading["error"], [s["run"] for s in reading["statements"]]) == (None, [True, False, True])


# The body of a class that goes through the steps itself.
LOOP = "  def call(self, x):\n    for t in range(9): h = self.cell(x[:, t])\n"


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("class Lstm(tf.keras.Model): pass\n", {"found": "Lstm", "variant": "other_name"}),
        (f"class LSTMCell: pass\nclass MyLSTM:\n{LOOP}", {"found": "MyLSTM", "variant": "other_name"}),
        (
            "class MyLSTM(tf.keras.Model):\n  def call(self, x): return x\n",
            {"found": "MyLSTM", "variant": "other_class"},
        ),
        (
            f"class MyLSTM(tf.keras.Model):\n{LOOP}  rnn = tf.keras.layers.LSTM(4)\n",
            {"found": "MyLSTM", "variant": "other_class"},
        ),
        # The exercise supplies a cell of this name; Keras has another one.
        (f"class MyLSTM(tf.keras.Model):\n{LOOP}  cell = LSTMCell(4)\n", {"found": "MyLSTM", "variant": "other_name"}),
        (
            f"from keras.layers import LSTMCell\nclass MyLSTM(tf.keras.Model):\n{LOOP}  cell = LSTMCell(4)\n",
            {"found": "MyLSTM", "variant": "other_class"},
        ),
        (
            f"class LSTMScratch(d2l.Module): pass\n@d2l.add_to_class(LSTMScratch)\n{LOOP.lstrip()}",
            {"found": "LSTMScratch", "variant": "other_name"},
        ),
        ("class LSTMModel(nn.Module): pass\n", {"found": "LSTMModel", "variant": "torch"}),
        ("class LSТM: pass\n", {"found": "LSТM", "looks_like": "LSTM", "variant": "letter"}),
        ("def main():\n    class LSTM: pass\n", {"found_in": "function"}),
        ("# class LSTM(tf.keras.Model):\n", {"found_in": "comment"}),
        ("class LSTMCell: pass\n", {"found": "LSTMCell", "variant": "not_written"}),
        ("print(1)\n", {}),
        ("def lstm_forward(x):\n  for t in x: pass\n", {"found": "lstm_forward", "variant": "function"}),
        ("def lstm(x): return x\n", {}),
        ("m = tf.keras.layers.LSTM(4)\n", {"found": "LSTM", "variant": "ready_made"}),
        ("# class LSTM:\nm = tf.keras.layers.LSTM(4)\n", {"found_in": "comment"}),
    ],
)
def test_a_missing_class_names_what_was_probably_meant(read, text: str, params: dict[str, str]) -> None:
    error = read(text)["error"]
    assert (error["code"], error["params"]) == ("no_lstm_class", params)


@pytest.mark.parametrize(
    "text",
    ["from keras.layers import LSTM\n", "from keras.layers import *\n", "LSTM = tf.keras.layers.LSTM(32)\n"],
)
def test_whatever_binds_the_name_is_left_to_the_run(read, text: str) -> None:
    reading = read(text)
    assert (reading["error"], reading["class_line"]) == (None, 1)


def test_a_scripts_calls_of_the_system_are_run_and_a_notebooks_are_not(read, read_cells) -> None:
    text = CLASS + "import os\nos._exit(0)\nopen('/tmp/x', 'w')\nopen('/content/x', 'w')\nx = tf.placeholder(1)\n"
    assert [s["reason"] for s in read(text)["statements"]][2:] == ["exits", "acts_on_system", "not_needed", "tf1_api"]
    assert not any(s["run"] for s in read_cells(text)["statements"][2:])


@pytest.mark.parametrize(
    ("text", "reads", "late"),
    [
        ("f = lambda a, b=c: a + d", {"c"}, {"d"}),
        ("y = [a for a in b if a > c]", {"b", "c"}, set()),
        ("y = [(z := a) for a in b]\n", {"b"}, set()),
        (
            "def f(a: T = q):\n    b = a\n    def g():\n        return b + e\n    return [b for _ in h]",
            {"T", "q"},
            {"e", "h"},
        ),
        ("class A(B):\n    k = m\n    def f(self):\n        return k", {"B", "m"}, {"k"}),
        ("def f():\n    global n\n    n = n + 1", set(), {"n"}),
        ("def f(x):\n    def g():\n        nonlocal x\n        x = y\n    return g", set(), {"y"}),
        ("match a:\n    case [b, *c] if b > d: pass", {"a", "b", "d"}, set()),
        ("total += step", {"total", "step"}, set()),
        ("def f():\n    return [x for x in x.items]", set(), {"x"}),
        ("def f():\n    try: pass\n    except E as e: print(e)", set(), {"E", "print"}),
    ],
)
def test_names_resolve_as_python_resolves_them(text: str, reads: set[str], late: set[str]) -> None:
    uses = name_uses(ast.parse(text).body[0])
    assert (set(uses.reads), set(uses.late_reads)) == (reads, late)


def test_a_walrus_in_a_comprehension_binds_around_it() -> None:
    assert name_uses(ast.parse("y = [(z := a) for a in b]").body[0]).binds == {"y", "z"}
    function = name_uses(ast.parse("def f():\n    [(z := a) for a in b]\n    return z").body[0])
    assert set(function.late_reads) == {"b"}


def test_code_that_is_not_run_is_named_by_its_lines(read) -> None:
    text = "print(1)\n\n# a comment\nprint(2,\n      3)\n" + CLASS + "lstm = LSTM(3)\n"
    [skipped] = read(text)["skipped"]
    last = text.count("\n")
    assert skipped["params"] == {"line": 1, "lines": [[1, 5], [last, last]], "statements": 3}
