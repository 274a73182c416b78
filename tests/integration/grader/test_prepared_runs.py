"""Short ways around Keras' bookkeeping change nothing: prepared and unprepared runs say the same, bit for bit."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader import Submission, load_assignments
from grader.assignment import CaseEntry
from grader.execution.execution import Roles
from grader.execution.reading import read
from grader.execution.runner import Runner
from grader.sandbox import ForkSandbox, Kind, Limits, Outcome
from grader.sandbox.protocol import decode_events
from grader.task2 import NotebookRunner
from reference.lstm.misconceptions.table import PLACES, Table
from tests.exercises import answered, class_with_own_cell, shorter
from tests.integration.grader.mutants import peculiar_layers
from tests.integration.grader.mutants.styles import STYLES, Style
from tests.tiers import sampled, sampled_pairs

# Two sizes as small as they can be: two models, and a model that gets calls of two shapes, for the probes come with six
# features and four units. Each call is made several times, and of one the gradients are taken.
CASES = [
    CaseEntry(id="exercise", category="exercise", batch=2, timesteps=3, features=6, units=4, seed=1),
    CaseEntry(id="other_shape", category="other_shape", batch=4, timesteps=3, features=5, units=7, seed=2),
]
ASSIGNMENT = load_assignments()["lstm-layer"].model_copy(update={"cases": CASES})
NO_TABLE = Table(np.empty((0, 2), np.int16), np.empty((PLACES, 0), np.float32), np.empty(0, np.float32))
# Counts what Keras calls on the way to `Dense.call`.
COUNTING = "._set_mask_metadata = lambda *a, **k: print('asked')"
COUNTED = {
    "many neurons": {"cell_setup": f"self.fcXI{COUNTING}"},
    "one neuron": {
        "cell_setup": f"self.one = tf.keras.layers.Dense(1)\n        self.one{COUNTING}",
        "cell": "o = o + 0 * self.one(x)",
    },
    "a gate": {
        "cell_setup": f"self.gate = tf.keras.layers.Dense(units, activation='sigmoid')\n        self.gate{COUNTING}",
        "cell": "o = o + 0 * self.gate(x)",
    },
}

# TensorFlow tells where in our code a tensor of a graph was made.
WHERE_MADE = re.compile(r"\n\n<tf.Tensor .* was defined here:.*", re.DOTALL)

# Code that changes more than a layer: each one needs a run of its own.
ADVERSARIAL: dict[str, dict[str, str]] = {
    "nothing": {},
    "a variable's name": {
        "cell_setup": "self.own = tf.Variable(tf.zeros(2), name='own')",
        "before": "print(self.cell.own.name, self.cell.own.handle.dtype, self.cell.own)",
    },
    "a variable that is gone": {
        "cell_setup": "self.own = tf.Variable(tf.zeros(2), name='own')",
        "cell": "tf.raw_ops.DestroyResourceOp(resource=self.own.handle)\n        c = c + self.own[0]",
    },
    "second order": {
        "before": "with tf.GradientTape() as outer:\n"
        "            outer.watch(x)\n"
        "            with tf.GradientTape() as inner:\n"
        "                inner.watch(x)\n"
        "                y = tf.reduce_sum(self.cell(x[:, 0], h, c)[0] ** 3)\n"
        "            g = inner.gradient(y, x)\n"
        "        h = h + 0.01 * tf.reduce_mean(outer.gradient(tf.reduce_sum(g), x))",
    },
    "a graph": {"decorator": "@tf.function"},
    "counts its calls": {"setup": "self.calls = 0", "before": "self.calls += 1\n        print(self.calls)"},
    "draws": {"before": "h = h + tf.random.normal(h.shape)"},
    "raises": {"before": "raise RuntimeError('no')"},
    "raises in a trace": {"before": "h = h + float(tf.reduce_sum(x[:1, 0, 0]).numpy())"},
    "a layer that is not called": {"cell_setup": "self.spare = LSTM(3) if units < 0 else layers.Dense(units)"},
    "built by hand": {"setup": "self.cell.build((None, 4))"},
    "names of its variables": {
        "before": "print(sorted(v.path if hasattr(v, 'path') else v.name for v in self.variables))"
    },
}
UNDER_KERAS_2 = ["names of its variables", "a variable's name", "second order", "raises in a trace"]
NOTEBOOKS = Path(__file__).parents[2] / "corpus" / "lstm_notebook"


class Recorder:
    """The box, with what came out of it."""

    def __init__(self, sandbox: ForkSandbox) -> None:
        self.sandbox = sandbox
        self.outcomes: list[Outcome] = []

    def run(self, kind: Kind, content: bytes, limits: Limits) -> Outcome:
        self.outcomes.append(self.sandbox.run(kind, content, limits))
        return self.outcomes[-1]


#: The contents of a source's prepared and unprepared runs under a generation of Keras.
BothWays = Callable[[str, str], tuple[Any, Any]]


@pytest.fixture(scope="module")
def both_ways(sandbox: ForkSandbox, questions_seed: bytes) -> BothWays:
    cases = [answered(entry.spec()) for entry in CASES]

    def run(source: str, generation: str) -> tuple[Any, Any]:
        reading = read(Submission("submission.py", source.encode()), ASSIGNMENT, sandbox)
        assert reading.error is None
        ways = []
        for prepared in (True, False):
            box = Recorder(sandbox)
            Runner(
                reading, ASSIGNMENT, cases, questions_seed, generation, box, lambda case: NO_TABLE, prepared=prepared
            ).run()
            ways.append([_content(outcome) for outcome in box.outcomes])
        return ways[0], ways[1]

    return run


def _content(outcome: Outcome) -> Any:
    events, complete = decode_events(outcome.result, ended_by_itself=outcome.killed_for is None)
    answers = [
        (_lasting(event), {name: (a.shape, a.dtype, a.tobytes()) for name, a in arrays.items()})
        for event, arrays in events
    ]
    return answers, complete, outcome.stdout, outcome.exit_code


def _lasting(event: Any) -> dict[str, Any]:
    """The fields of an event, without times and without what names our lines."""
    fields = event.model_dump(exclude={"phases"})
    return {key: WHERE_MADE.sub("", value) if isinstance(value, str) else value for key, value in fields.items()}


@pytest.mark.parametrize("generation", ["3", "2"])
def test_a_layer_that_is_not_plain_answers_as_keras_does(both_ways: BothWays, generation: str) -> None:
    calls = peculiar_layers.calls(generation)
    prepared, unprepared = both_ways(peculiar_layers.submission(calls), generation)
    lines, expected = (runs[0][2].decode().splitlines() for runs in (prepared, unprepared))
    assert lines == expected
    assert [name for name in calls if sum(line.startswith(name) for line in lines) < 3] == []
    assert prepared == unprepared


@pytest.mark.parametrize("name", sampled(ADVERSARIAL, every=4))
def test_a_short_way_is_not_told_from_keras_own(both_ways: BothWays, name: str) -> None:
    prepared, unprepared = both_ways(class_with_own_cell(**ADVERSARIAL[name]), "3")
    assert prepared == unprepared


@pytest.mark.parametrize("name", sampled(UNDER_KERAS_2, every=4))
def test_nor_is_it_under_keras_2(both_ways: BothWays, name: str) -> None:
    prepared, unprepared = both_ways(class_with_own_cell(**ADVERSARIAL[name]), "2")
    assert prepared == unprepared


@pytest.mark.parametrize(("name", "generation"), sampled_pairs(COUNTED, "32"))
def test_the_short_way_leaves_the_parts_of_keras_call_out(both_ways: BothWays, name: str, generation: str) -> None:
    """Otherwise the tests above compare a thing with itself."""
    prepared, unprepared = (
        runs[0][2].count(b"asked") for runs in both_ways(class_with_own_cell(**COUNTED[name]), generation)
    )
    assert prepared < unprepared


@pytest.mark.parametrize("style", sampled(STYLES, every=3))
def test_the_answer_of_any_style_is_the_same_in_either_way(both_ways: BothWays, style: Style) -> None:
    prepared, unprepared = both_ways(style.write({}) or "", "3")
    assert prepared == unprepared


def _notebook_runs(
    sandbox: ForkSandbox, submission: Submission, generation: str, spoiled: dict[int, dict[str, Any]]
) -> list[Any]:
    """The contents of a prepared and an unprepared run of a notebook."""
    assignment = shorter(load_assignments()["lstm-notebook"])
    reading = read(submission, assignment, sandbox)
    contents = []
    for prepared in (True, False):
        box = Recorder(sandbox)
        NotebookRunner(reading, assignment, box, generation=generation, roles=Roles(), prepared=prepared).run(spoiled)
        contents.append(_content(box.outcomes[0]))
    return contents


@pytest.mark.parametrize("name", sampled(sorted(folder.name for folder in NOTEBOOKS.iterdir()), every=16))
def test_a_notebook_is_the_same_in_either_way(sandbox: ForkSandbox, name: str) -> None:
    (path,) = (NOTEBOOKS / name).glob("submission.*")
    source = path.read_text().replace("SEQ_LEN = 100", "SEQ_LEN = 5")  # a step is like another
    generation = "2" if name == "course_published" else "3"
    spoiled = {0: {"by": "shift", "amount": 1.0}}
    prepared, unprepared = _notebook_runs(sandbox, Submission(path.name, source.encode()), generation, spoiled)
    assert prepared == unprepared


def test_the_short_way_is_taken_in_a_notebook_too(sandbox: ForkSandbox) -> None:
    """Though its models are watched by a function in the place of `Layer.__call__`."""
    source = class_with_own_cell(**COUNTED["many neurons"]) + "LSTM(4)(tf.ones((2, 5, 3)))\n"
    runs = _notebook_runs(sandbox, Submission("submission.py", source.encode()), "3", {})
    prepared, unprepared = (stdout.count(b"asked") for _, _, stdout, _ in runs)
    assert prepared < unprepared
