"""Whatever stands in a class: its parts are looked for without an error, and its source is shown."""

import ast
import json
from typing import Any

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from grader.execution.reading import Reading
from tests.unit.runner.test_parts import CELL, SIZES

STEP, LOOP, GATE, ANSWER = "x[:, t]", "range(x.shape[1])", "tf.sigmoid(self.fcXF(x) + self.fcHF(h))", "hs, axis=1"
SLICE = "tf.slice(x, begin=[0, t, 0], size=[-1, 1, -1])"
Z = "self.fcXF(x) + self.fcHF(h)"


def parts_of(source: str) -> list[dict[str, Any]]:
    """Find parts as the reader does, but let its errors out."""
    from reader.module_text import code_cell, join_cells
    from reader.parts.finding import parts

    return parts(join_cells([code_cell(0, source)], SIZES.values(), is_script=True).plan)["parts"]


@pytest.mark.parametrize(
    ("was", "becomes", "part", "words"),
    [
        (STEP, "x[slice(None), t]", "step_input", [["usual"]]),
        (STEP, "x[(slice(None), t)]", "step_input", [["usual"]]),
        (STEP, "x[slice(None, None, -1)][:, t]", "step_input", [["usual"], ["reversed"]]),
        (STEP, f"tf.reshape({SLICE}, [-1, x.shape[2]])", "step_input", [["reshape"], ["slice()"]]),
        (STEP, "x[:, t].item()", "step_input", [["item()"], ["usual"]]),
        (STEP, "x.item()", "step_input", [["item()"]]),
        (LOOP, "range(25)[slice(0, None)]", "loop", [["fixed_length"]]),
        (LOOP, "tf.unstack(value=x)", "loop", [["other_axis"]]),
        (LOOP, "tf.unstack()", "loop", [[]]),
        (GATE, f"1 / (1 + tf.exp(x=-({Z})))", "activation", [["sigmoid"]]),
        (GATE, f"1 / (1 + tf.exp(tf.negative(x={Z})))", "activation", [["sigmoid"]]),
        (GATE, "tf.sigmoid(x=tf.add(x=self.fcXF(x), y=self.fcHF(h)))", "activation", [["sigmoid"]]),
        (GATE, f"tf.sigmoid(tf.slice({Z}, [0, 0], [-1, 32]))", "activation", [["sigmoid"]]),
        (GATE, "attribute()()", "loop", [[]]),
        (GATE, "item()[0] + item().item()", "loop", [[]]),
    ],
)  # fmt: skip
def test_odd_ways_to_write_a_part_are_followed(was: str, becomes: str, part: str, words: list[list[str]]) -> None:
    assert was in CELL
    parts = parts_of(CELL.replace(was, becomes))
    assert [each["what"] for each in parts if each["part"] == part and each["gate"] in (None, "F")] == words


PLACES = {
    STEP: "{}",
    LOOP: "{}",
    GATE: "{}",
    "self.fcXI(x)": "{}",
    "tf.tanh(self.fcXC(x)": "{}(self.fcXC(x)",
    "f * c + i * ch": "{} + i * ch",
    "o * tf.tanh(c)": "o * {}",
    "tf.ones((2, 3))": "{}",
    "hs.append(h)": "hs.append({})",
    "tf.stack(hs, axis=1)": "{}",
}
#: With a meaning of their own for the reader, or with the name that the reader itself gives to something.
FUNCTIONS = [
    *("range", "slice", "len", "list", "tuple", "dict", "zip", "enumerate", "reversed", "getattr", "setattr"),
    *("isinstance", "float", "partial", "item", "attribute", "state", "layer", "name", "parameter", "weight"),
    *("element", "index", "x", "apply", "lstmcell", "tf.slice", "tf.exp", "tf.negative", "tf.tanh", "tf.reshape"),
    *("tf.concat", "tf.split", "tf.unstack", "tf.transpose", "tf.matmul", "tf.add_n", "tf.multiply", "tf.zeros"),
    *("tf.fill", "tf.shape", "tf.size", "tf.scan", "tf.map_fn", "tf.while_loop", "tf.identity", "tf.Variable"),
    *("tf.TensorArray", "tf.reverse", "tf.keras.layers.LSTMCell", "tf.keras.layers.Dense"),
    *("tf.keras.layers.Activation", "tf.keras.layers.Lambda", "tf.keras.layers.Concatenate", "tf.keras.layers.Add"),
    *("tf.keras.Sequential", "tf.keras.activations.get", "self.add_weight", "self.fcXF", "self.call", "super"),
    *("x.item", "x.slice", "x.size", "hs.append", "hs.insert", "hs.pop", "hs.reverse", "dict(a=x).get"),
    *("dict(a=x).items", "'F'.split", "tf.sigmoid"),
]
ARGUMENTS = [
    *("", "x", "-1", "None", "[x, h]", "x=x", "shape=x", "x, h", "1, None", "x, -1, t", "x, h, c, t", "*hs", "**x"),
]
AROUND = [
    *("{}", "{}", "x[{}]", "x[:, {}]", "{}[0]", "{}[:, ::-1]", "{}()", "{}(x)", "{}.item()", "{}.shape[1]", "-{}"),
    *("1 / (1 + {})", "1 / (1 + tf.exp({}))", "tf.sigmoid({})", "range({})", "[{} for t in x]", "{} + {}", "{} * x"),
    *("slice({})", "self.fcXF({})", "tf.concat([{}, h], 1)", "(lambda: {})()", "f'{{}}'", "[*{}]", "f({}, x={})"),
]

calls = st.builds("{}({})".format, st.sampled_from(FUNCTIONS), st.sampled_from(ARGUMENTS))
expressions = st.builds(
    lambda call, inner, outer: outer.replace("{}", inner.replace("{}", call)),
    calls,
    st.sampled_from(AROUND),
    st.sampled_from(AROUND),
)


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(list(PLACES)), expressions, min_size=1, max_size=3))
@example({"tf.stack(hs, axis=1)": "[[hs.insert(x, h) for t in x] for t in x]"})
@example({GATE: f"f'{{0x{'f' * 5000}}}'"})
def test_any_expression_anywhere_in_a_class_is_followed_without_an_error(replaced: dict[str, str]) -> None:
    from reader import upload

    source = CELL
    for place, expression in replaced.items():
        assert place in CELL
        source = source.replace(place, PLACES[place].replace("{}", expression))
    try:
        ast.parse(source)
    except SyntaxError:
        reject()  # quotes in an f-string
    assert len(parts_of(source)) <= 120
    first, second = upload.answers(source.encode(), "solution.py", SIZES)
    assert first["error"] is None
    assert second["cells"]
    reading = Reading(format="py", error=None).with_source(json.dumps(second).encode())
    assert [part.model_dump() for part in reading.parts] == second["parts"]
