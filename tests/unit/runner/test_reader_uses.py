"""Statements that run for Task 2, and the remarks on them."""

from typing import Any

import pytest

CLASS = "class LSTM(tf.keras.Model):\n    def call(self, x): return x\n"
KERAS = "lstm = tf.keras.layers.LSTM(32)\ny = lstm(x)\n"
MODELS = CLASS + KERAS + "m = LSTM(32)\nz = m(x)\n"


def _uses(reading: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The facts by the first line of the statement."""
    lines = reading["source"].split("\n")
    starts = [statement["first_line"] for statement in reading["statements"]]
    return {lines[starts[use["statement"]] - 1].strip(): use for use in reading["uses"]}


def test_copying_and_comparing_are_run_with_all_that_they_read(read) -> None:
    reading = read("scale = 1\nother = 2\n" + MODELS + "m.kernel.assign(lstm.weights[0] * scale)\nprint(abs(y - z))\n")
    uses = _uses(reading)
    assert "other = 2" not in uses
    assert uses["scale = 1"]["sides"] == []
    assert uses["lstm = tf.keras.layers.LSTM(32)"]["sides"] == ["keras"]
    assert uses["z = m(x)"]["sides"] == ["student"]
    assert uses["m.kernel.assign(lstm.weights[0] * scale)"]["sides"] == ["keras", "student"]
    assert uses["print(abs(y - z))"]["sides"] == ["keras", "student"]


def test_statements_without_need_of_the_models_stay_unrun_for_the_class(read) -> None:
    reading = read(MODELS + "print(abs(y - z))\n")
    assert [statement["run"] for statement in reading["statements"]] == [True, False, False, False, False, False]
    assert len(reading["uses"]) == 6


@pytest.mark.parametrize(
    "line",
    [
        "m.fit(x, y)",
        "history = m.fit(x, y, epochs=100)",
        "m.save('model.h5')",
        "m.load_weights('model.h5')",
        "m.compile('adam')",
        "n = input('size')",
        "files.upload()",
        "for e in range(10): opt.apply_gradients(zip(g, m.weights))",
        "tf.keras.utils.get_file('a', 'http://a')",
    ],
)
def test_training_downloads_and_input_are_left_out(read, line: str) -> None:
    assert line not in _uses(read(MODELS + line + "\nprint(abs(y - z))\n"))


def test_tests_that_use_the_class_are_run_by_a_call_that_names_no_model(read) -> None:
    tests = "class Tests(unittest.TestCase):\n    def test_it(self): assert LSTM(32)(x) == tf.keras.layers.LSTM(9)\n"
    assert "unittest.main(exit=False)" in _uses(read(CLASS + tests + "unittest.main(exit=False)\n"))


def test_a_function_of_the_files_own_that_trains_the_model_is_left_out(read) -> None:
    step = "def step(a):\n    opt.apply_gradients([(m(a), m.weights[0])])\n"
    loop = "for e in range(10): step(x)"
    both = "for each in (m, lstm): step(each(x))"
    uses = _uses(read("\n".join([MODELS + step + loop, both, "print(abs(y - z))"])))
    assert loop not in uses
    assert both in uses


@pytest.mark.parametrize(
    "lines",
    [
        ["np.savez('w.npz', k=lstm.weights[0])", "w = np.load('w.npz')", "m.kernel.assign(w['k'])"],
        [
            "P = 'w'",
            "with open(P, 'wb') as f: pickle.dump(lstm.get_weights(), f)",
            "with open(P, 'rb') as f: w = pickle.load(f)",
            "m.kernel.assign(w[0])",
        ],
        [
            "if not os.path.isdir('kept'): os.mkdir('kept')",
            "np.save('kept/y', y)",
            "d = abs(np.load('kept/y.npy') - z)",
            "with open('kept/d', 'w') as f: json.dump(d.max(), f)",
        ],
        ["np.save('y', y)", "loaded = np.load('y.npy')", "with open('d', 'w') as f: json.dump(loaded.max(), f)"],
        ["def load_from(a, b): a.kernel.assign(b.weights[0])", "load_from(m, lstm)"],
        ["class Own:\n    def load(self, a, b): a.kernel.assign(b.weights[0])", "own = Own()", "own.load(m, lstm)"],
        ["def evaluate(a, b): return abs(a - b)", "d = evaluate(y, z)", "print(d)"],
        [
            "import re",
            "name = re.compile('kernel')",
            "for w in m.weights: name.match(w.name) and w.assign(lstm.weights[0])",
        ],
        ["for each in (m, lstm): each.summary(), each.weights[0].assign(w)"],
        ["w = json.loads('[0]')", "m.kernel.assign(lstm.weights[w[0]])"],
    ],
)
def test_files_and_functions_of_the_notebooks_own_are_run(read, lines: list[str]) -> None:
    uses = _uses(read("\n".join([MODELS, *lines, "print(abs(y - z))"])))
    assert uses.keys() >= {line.split("\n")[0] for line in lines}


@pytest.mark.parametrize("line", ["kept.append(m(x))", "kept[0] = m(x)"])
def test_a_list_holds_the_sides_of_its_items(read, line: str) -> None:
    uses = _uses(read(f"{MODELS}kept = [0]\n{line}\nprint(kept)\n"))
    assert uses["print(kept)"]["sides"] == ["student"]


def test_a_file_with_only_the_class_uses_it_nowhere(read) -> None:
    assert read(CLASS)["uses"] == []


def test_a_number_that_is_typed_in_is_run_too(read) -> None:
    assert _uses(read(MODELS + "print(0.0)\n"))["print(0.0)"]["sides"] == []


def test_text_for_exec_is_as_good_as_code(read) -> None:
    line = "exec('m.kernel.assign(lstm.weights[0] * scale); print(abs(y - z))')"
    uses = _uses(read("scale = 1\nother = 2\n" + MODELS + line))
    assert "other = 2" not in uses
    assert uses["scale = 1"]["sides"] == []
    assert uses[line]["sides"] == ["keras", "student"]


def test_text_for_exec_may_have_a_name(read) -> None:
    text = "code = 'print(abs(y - z))'"
    uses = _uses(read(f"{MODELS}{text}\nexec(code)\n"))
    assert uses["exec(code)"]["sides"] == ["keras", "student"]
    assert text in uses
    assert _uses(read(f"{MODELS}code = 'pass'\n{text}\nexec(code)\n"))["exec(code)"]["sides"] == []


def test_a_function_is_as_good_as_its_body(read) -> None:
    uses = _uses(
        read(CLASS + "def main():\n    a = tf.keras.layers.LSTM(2)(x)\n    print((a == LSTM(2)(x)).all())\nmain()\n")
    )
    assert (uses["main()"]["sides"], uses["main()"]["equality"]) == (["keras", "student"], True)


def test_a_name_of_keras_that_the_student_gives_is_the_students(read) -> None:
    own = "class Both:\n    def run(self, x):\n        self.LSTM = LSTM(32)\n        return self.LSTM(x)\n"
    assert _uses(read(f"{CLASS}{own}print(Both().run(x))\n"))["print(Both().run(x))"]["sides"] == ["student"]


@pytest.mark.parametrize(
    "layer",
    [
        "from tensorflow.keras.layers import LSTM as Ready\nlstm = Ready(32)\n",
        "import keras\nlstm = keras.layers.LSTM(32)\n",
        "L = tf.keras.layers\nlstm = L.LSTM(32)\n",
        "lstm = tf.keras.layers.RNN(tf.keras.layers.LSTMCell(32))\n",
    ],
)
def test_a_layer_of_keras_is_known_by_whatever_name(read, layer: str) -> None:
    uses = _uses(read(CLASS + layer + "m = LSTM(32)\nprint(lstm(x), m(x))\n"))
    assert uses["print(lstm(x), m(x))"]["sides"] == ["keras", "student"]


@pytest.mark.parametrize(
    ("line", "facts"),
    [
        ("print(y.shape == z.shape)", {"shape_only"}),
        ("assert len(y) == len(z)", {"shape_only", "equality"}),
        ("print(y.shape, z)", set()),
        ("print((y == z).all())", {"equality"}),
        ("print(np.array_equal(y, z))", {"equality"}),
        ("print(abs(y - z).max() == 0)", set()),
        ("m.cell.kernel = lstm.weights[0]", {"assigns_attribute"}),
        ("m.cell.weights[0] = lstm.weights[0]", {"assigns_attribute"}),
        ("m.cell.kernel.assign(lstm.weights[0])", set()),
    ],
)
def test_facts_help_to_name_a_mistake(read, line: str, facts: set[str]) -> None:
    use = _uses(read(MODELS + line + "\n"))[line]
    assert {name for name in ("shape_only", "equality", "assigns_attribute") if use[name]} >= facts
    assert {name for name in ("shape_only", "assigns_attribute") if use[name]} <= facts
