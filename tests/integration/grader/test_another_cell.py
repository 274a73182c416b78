"""SimpleRNN, asked and judged as the exercise is: no exercise, but what the engine can do with another definition.

Its definition equals Keras' layer (`tests/integration/reference/test_store.py`). Cases are drawn, the box is asked,
weights are recognised, and answers, gradients and own work are judged. A diagnosis would need a bank of its own.
"""

from dataclasses import replace

from grader import Submission, load_assignments
from grader.checks.equivalence import equivalence
from grader.checks.own_work import own_work
from grader.checks.trainability import trainability
from grader.diagnosis.evidence import Evidence
from grader.diagnosis.understanding import understand
from grader.execution.reading import read
from grader.execution.runner import Runner
from grader.report.finding import CheckStatus, Verdict
from grader.sandbox import ForkSandbox
from reference import ReferenceStore, draw
from reference.cell import Weights
from reference.drawing import random_for
from tests.integration.reference.test_store import CELLS

ASSIGNMENT = load_assignments()["lstm-layer"]
# The class's name is a part of the contract.
CLASS = """
import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.of_x, self.of_h = tf.keras.layers.Dense(units), tf.keras.layers.Dense(units, use_bias=False)
        self.layer = tf.keras.layers.SimpleRNN(units, return_sequences=True)

    def call(self, x):
        h, answer = tf.zeros((x.shape[0], self.units)), []
        for t in range(x.shape[1]):
            h = tf.tanh(self.of_x(x[:, t]) + self.of_h(h))
            answer.append(h)
        return tf.stack(answer, axis=1)
"""


class SimpleRNNWeights(Weights):
    cell = CELLS["SimpleRNN"]


def judged(source: str, seed: bytes, sandbox: ForkSandbox, references: ReferenceStore) -> list[Verdict]:
    random = random_for(bytes(32), "published")
    published = [
        replace(draw(replace(case.spec(), values="usual"), random, SimpleRNNWeights), is_drawn=False)
        for case in ASSIGNMENT.cases
    ]
    reading = read(Submission("submission.py", source.encode()), ASSIGNMENT, sandbox)
    execution = Runner(reading, ASSIGNMENT, published, seed, "3", sandbox, references.table).run()
    understanding = understand(execution, references.table, ASSIGNMENT.tolerance, reading.formulas)
    evidence = Evidence(ASSIGNMENT, reading, execution, understanding)
    return [equivalence(evidence), trainability(evidence), own_work(evidence)]


def test_right_class_passes(questions_seed: bytes, sandbox: ForkSandbox, references: ReferenceStore) -> None:
    verdicts = judged(CLASS, questions_seed, sandbox, references)
    assert {verdict.status for verdict in verdicts} == {CheckStatus.PASSED}
    assert verdicts[1].details["error"] < 1e-5


def test_gradients_are_compared(questions_seed: bytes, sandbox: ForkSandbox, references: ReferenceStore) -> None:
    stopped = CLASS.replace("self.of_h(h)", "self.of_h(tf.stop_gradient(h))")
    right, trained, own = judged(stopped, questions_seed, sandbox, references)
    assert (right.status, own.status) == (CheckStatus.PASSED, CheckStatus.PASSED)
    assert trained.status == CheckStatus.FAILED
    assert trained.finding is not None
    assert (trained.finding.code, trained.finding.params["variant"]) == ("gradient_differs", "without_h")


def test_keras_own_layer_has_no_numbers(
    questions_seed: bytes, sandbox: ForkSandbox, references: ReferenceStore
) -> None:
    built_in = CLASS.replace("return tf.stack(answer, axis=1)", "return self.layer(x)")
    *_, own = judged(built_in, questions_seed, sandbox, references)
    assert (own.status, own.details["evidence"]) == (CheckStatus.FAILED, "no_numbers")


def test_wrong_class_fails_without_a_diagnosis(
    questions_seed: bytes, sandbox: ForkSandbox, references: ReferenceStore
) -> None:
    equal, *_ = judged(CLASS.replace("tf.tanh(", "tf.tanh(h + "), questions_seed, sandbox, references)
    assert (equal.status, equal.earned) == (CheckStatus.FAILED, 0)
