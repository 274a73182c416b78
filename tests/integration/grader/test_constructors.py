"""Right classes with the constructors that students write, and no call that says how: all of them get full marks.

What a signature leaves open, the model that comes out decides; so these are built by real Keras, of both generations.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from grader.report.model import Report
from tests.integration.grader.conftest import GradeSource

# `LSTMCell` is the one that the exercise supplies.
LAYERS = """\
import tensorflow as tf
{before}

class LSTM(tf.keras.Model):
    def __init__(self{signature}):
        super().__init__()
        {body}
        self.u = {units}
        self.cell = {cell}

    def call(self, inputs):
        h = c = tf.zeros((tf.shape(inputs)[0], self.u))
        outputs = []
        for t in range(inputs.shape[1]):
            h, c = self.cell(inputs[:, t], h, c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
{after}
"""
# Weights that exist before the input is known: the size of the input has to be right too.
WEIGHTS = """\
import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self{signature}):
        super().__init__()
        self.u = {units}
        for g in "ifco":
            setattr(self, "W_" + g, self.add_weight(shape=({features}, self.u), name="W" + g))
            setattr(self, "U_" + g, self.add_weight(shape=(self.u, self.u), name="U" + g))
            setattr(self, "b_" + g, self.add_weight(shape=(self.u,), name="b" + g))

    def call(self, inputs):
        h = c = tf.zeros((tf.shape(inputs)[0], self.u))
        outputs = []
        for t in range(inputs.shape[1]):
            z = [inputs[:, t] @ getattr(self, "W_" + g) + h @ getattr(self, "U_" + g) + getattr(self, "b_" + g)
                 for g in "ifco"]
            i, f, g, o = tf.sigmoid(z[0]), tf.sigmoid(z[1]), tf.tanh(z[2]), tf.sigmoid(z[3])
            c = f * c + i * g
            h = o * tf.tanh(c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
"""
DATACLASS = """\
from dataclasses import dataclass

@dataclass{frozen}
class Config:
    hidden_size: int{default}
    n_input: int = 3
"""


def _layers(signature: str, units: str, body: str = "pass", cell: str = "LSTMCell(self.u)", **parts: str) -> str:
    blank = {"before": "", "after": ""}
    signature = f", {signature}" if signature else ""
    return LAYERS.format(**(blank | parts), signature=signature, units=units, body=body, cell=cell)


def _weights(signature: str, features: str, units: str) -> str:
    return WEIGHTS.format(signature=f", {signature}", features=features, units=units)


def _function_of(names: str, checks: str) -> str:
    return _layers(f"n_unit, {names}", "n_unit", checks)


SOURCES = {
    # More are in the corpus (correct_ctor_...), and what names and defaults say in tests/unit/runner/test_construct.py.
    # The size of the input too.
    "q, p": _weights("q, p", "p", "q"),
    "*args": _weights("*args", "args[0]", "args[1]"),
    "sizes": _weights("sizes", "sizes[0]", "sizes[1]"),
    # Other parameters that want something sensible.
    "batch, seq_len, hidden": _layers("batch, seq_len, hidden", "hidden", "self.z = tf.zeros((batch, seq_len))"),
    "functions": _function_of("act, gate_act", "self.z = act(tf.zeros(1)) + gate_act(tf.zeros(1))"),
    "unknown": _function_of("qq", "self.title_ = qq.upper()"),
    "by the numbers": _function_of("qq", "self.k = float(qq)").replace("append(h)", "append(h * self.k)"),
    "input_shape with the batch": _function_of("input_shape", "self.b, self.t, self.f = input_shape"),
    # What is no number.
    "inputs.shape": _function_of("inputs", "self.f = inputs.shape[-1]"),
    "x.shape": _weights("x, q", "x.shape[-1]", "q"),
    "hidden_dims[0]": _layers("hidden_dims", "hidden_dims[0]"),
    "lstm.units": _layers("lstm", "lstm.units"),
    "layer.get_weights()": _layers("layer", "layer.units", "self.w = [w * 2 for w in layer.get_weights()]"),
    # Settings in one object.
    "config: Config = None": _layers(
        "config: Config = None", "config.hidden_size", "config = config or Config()",
        before=DATACLASS.format(frozen="", default=" = 32"),
    ),
    "settings in settings": _layers(
        "settings: Settings", "settings.cell.hidden_size",
        before=DATACLASS.format(frozen="(frozen=True)", default=" = 32")
        + "\n@dataclass\nclass Settings:\n    cell: Config = Config()\n",
    ),
    "settings: TypedDict": _layers(
        "opts: Options", "opts['hidden']",
        before="from typing import TypedDict\n\nclass Options(TypedDict):\n    hidden: int",
    ),
    "sizes named by what they lie in": _weights("params", "params['input']['size']", "params['lstm']['size']"),
    "settings that must be a dictionary": _layers("cfg", "cfg['net']['hidden_size']", "assert isinstance(cfg, dict)"),
    "JSON by default": _layers(
        "cfg='{\"lstm\": {\"units\": 64}}'", "json.loads(cfg)['lstm']['units']", before="import json"
    ),
    "setattr of kwargs": _layers("**kw", "self.hidden", "[setattr(self, *item) for item in kw.items()]"),
    "Config(**kwargs)": _layers(
        "**cfg", "Config(**cfg).hidden_size", before=DATACLASS.format(frozen="", default="")
    ),
    "settings without parameters": _layers(
        "config: Config", "config.hidden", before="class Config:\n    def __init__(self):\n        self.hidden = 32"
    ),
    # The student's own call.
    "LSTM(parse_args())": _layers(
        "a", "a.units", before="from argparse import ArgumentParser\n\np = ArgumentParser()",
        after="p.add_argument('--units', type=int, default=32)\nmodel = LSTM(p.parse_args([]))",
    ),
    "LSTM('{...}')": _layers("s", "json.loads(s)['n']", before="import json", after="""model = LSTM('{"n": 32}')"""),
    # A cell.
    "cell, n_unit": _layers("cell, n_unit", "n_unit", cell="cell"),
}  # fmt: skip

GradeAll = Callable[..., dict[str, Report]]


@pytest.fixture
def grade_all(grade_source: GradeSource, cores: int) -> Iterator[GradeAll]:
    """Grades sources by their names."""
    with ThreadPoolExecutor(cores) as pool:

        def grade_them(sources: dict[str, str], generation: str = "3") -> dict[str, Report]:
            reports = pool.map(lambda source: grade_source(source, keras=generation), sources.values())
            return dict(zip(sources, reports, strict=True))

        yield grade_them


SOME = {name: SOURCES[name] for name in list(SOURCES)[::4]}
OTHERS = {name: source for name, source in SOURCES.items() if name not in SOME}


@pytest.mark.parametrize(
    ("generation", "sources"),
    [
        pytest.param("3", SOME, id="some, Keras 3"),
        pytest.param("3", OTHERS, id="the others, Keras 3", marks=pytest.mark.thorough),
        pytest.param("2", SOME, id="some, Keras 2", marks=pytest.mark.thorough),
    ],
)
def test_every_right_class_gets_full_marks_however_it_is_constructed(grade_all, generation, sources):
    wrong = {
        name: (report.points, [diagnosis.code for diagnosis in report.diagnoses], report.error)
        for name, report in grade_all(sources, generation).items()
        if report.points != 100
    }
    assert wrong == {}


def test_a_class_that_ignores_the_parameter_is_told_of_its_default(grade_all):
    sources = {
        "another width": _layers("qq=64", "64"),
        "the width of the exercise": _layers("qq=32", "32"),
    }
    diagnoses = {name: report.diagnoses[0] for name, report in grade_all(sources).items()}
    assert {name: diagnosis.code for name, diagnosis in diagnoses.items()} == {
        "another width": "wrong_shape",
        "the width of the exercise": "hardcoded_units",
    }
    assert [diagnosis.params["default_of"] for diagnosis in diagnoses.values()] == ["qq", "qq"]


def test_a_constructor_that_wants_what_nobody_knows_is_told_which_argument(grade_all):
    sources = {
        "tokenizer": _layers("n_unit, tokenizer", "n_unit", "self.words = len(tokenizer.word_index)"),
        "path": _layers("path", "json.load(open(path))['units']", before="import json"),
        "cfg": _layers("cfg", "eval(cfg)['units']"),
    }
    for name, report in grade_all(sources).items():
        assert report.diagnoses[0].code == "init_signature"
        assert report.diagnoses[0].params["argument"] == name
