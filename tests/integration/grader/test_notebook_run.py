"""A notebook run in the box, as it stands and with answers spoiled."""

import pytest

from grader.assignment import load_assignments
from grader.execution.execution import Roles
from grader.execution.reading import read
from grader.sandbox import ForkSandbox
from grader.submission import Submission
from grader.task2 import NotebookRunner
from grader.task2.comparing import places_moved
from grader.task2.copying import best_pair

MODELS = """
import logging
import sys
import threading
import timeit
import unittest
import time
import random
from concurrent.futures import ThreadPoolExecutor
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from IPython.display import Markdown, display
from sklearn.metrics import mean_absolute_error
from tabulate import tabulate

x = np.random.default_rng().normal(size=(2, 5, 7)).astype(np.float32)


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.kernel_layer = tf.keras.layers.Dense(4 * units)
        self.recurrent_layer = tf.keras.layers.Dense(4 * units, use_bias=False)

    def call(self, x):
        h = c = tf.zeros((x.shape[0], self.units))
        steps = []
        for t in range(x.shape[1]):
            i, f, g, o = tf.split(self.kernel_layer(x[:, t]) + self.recurrent_layer(h), 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            steps.append(h)
        return tf.stack(steps, axis=1)


lstm = tf.keras.layers.LSTM(9, return_sequences=True, recurrent_activation="sigmoid")
y = lstm(x)
mine = LSTM(9)
mine(x)
try:
    mine.no_such_layer
except AttributeError:
    timeit.timeit(lambda: mine(x[:, :1]), number=1_000_000)
for size in range(20, 30):
    LSTM(size)(x[:, :1])
for epoch in range(450):
    print("epoch", epoch)
    mine(x[:, :1])
    if epoch < 120:
        mine.set_weights([0.99 * weight for weight in mine.get_weights()])
W, U, b = lstm.get_weights()
mine.set_weights([W, b, U])
z = mine(x)


def compare(first, second):
    try:
        difference = torch.abs(first - second)
    except NameError:
        difference = tf.abs(first - second)
    return tf.reduce_max(difference).numpy()


def in_threads(*models):
    answers = []
    workers = [threading.Thread(target=lambda each=each: answers.append(each(x))) for each in models]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return answers


class TestLayers(unittest.TestCase):
    def test_equal(self):
        self.assertLess(compare(lstm(x), mine(x)), 1e-5)


"""
# Each of them is a comparison on one line.
REAL = """
print(np.max(np.abs(y - z)))
print("max", compare(y, z), "ok")
print(f"{compare(lstm(x), mine(x)):.3e}")
tf.print(tf.reduce_mean(tf.square(y - z)))
np.abs(np.array(y) - np.array(z)).sum()
difference = float(tf.norm(y - z))
np.testing.assert_allclose(y, z, atol=1e-5)
tf.debugging.assert_near(y, z, atol=1e-4)
assert np.allclose(y, mine.predict(x), atol=1e-5), "not equal"
print("equal" if np.allclose(y, mine.call(tf.constant(x)), atol=1e-5) else "not equal")
print(y[0, 0, :3], z[0, 0, :3])
print(f"{y}\\n{z}")
plt.hist((y - z).numpy().ravel(), bins=50)
sns.heatmap(np.abs(y - z)[0])
pd.DataFrame({"keras": np.ravel(y), "mine": np.ravel(z)}).describe()
for t in range(5): print(t, float(tf.reduce_max(tf.abs(y[:, t] - z[:, t]))))
sys.stdout.write(str(compare(y, z)))
logging.warning("difference %s", compare(y, z))
print(tabulate([["max", compare(y, z)]], headers=["what", "value"]))
print(f"{mean_absolute_error(y, z):.3e} {compare(y, z)}")
display(Markdown(f"**difference** {compare(y, z)}"))
unittest.main(argv=[""], exit=False)
tf.keras.losses.MeanAbsoluteError()(y, z)
print(compare(*ThreadPoolExecutor(2).map(lambda model: model(x), (lstm, mine))))
print(compare(*in_threads(lstm, mine)))
""".strip().split("\n")
# None of them depends on both answers, and some on chance, on time or on where something lies in memory.
FALSE = """
print(y.shape == z.shape)
print(time.time(), time.perf_counter(), timeit.default_timer(), time.time_ns())
print(random.random(), np.random.rand(), np.random.default_rng().random())
print(object())
print(np.max(np.abs(y - lstm(x))))
print(0.0)
print(np.mean(y))
print(np.mean(z))
""".strip().split("\n")


@pytest.mark.parametrize("generation", ["3", pytest.param("2", marks=pytest.mark.thorough)])
def test_a_comparison_moves_with_either_answer_and_nothing_else_does(sandbox: ForkSandbox, generation: str) -> None:
    source = MODELS + "\n".join(REAL + FALSE)
    assignment = load_assignments()["lstm-notebook"]
    reading = read(Submission("notebook.py", source.encode()), assignment, sandbox)
    runner = NotebookRunner(reading, assignment, sandbox, generation=generation, roles=Roles())
    clean = runner.run()
    spoiled = [
        runner.run({call.call: {"by": "shift", "amount": 0.25} for call in clean.calls if call.side == side})
        for side in ("student", "keras")
    ]
    pair = best_pair(clean)
    assert pair is not None
    assert pair.complete
    assert {name: failed.message for name, failed in clean.failed.items()} == {}
    moved = [{place[0] for place in places_moved(clean, run)} for run in spoiled]
    lines = source.split("\n")
    seen = {lines[reading.statements[number].first_line - 1] for number in moved[0] & moved[1]}
    assert [line for line in REAL if line not in seen] == []
    assert [line for line in FALSE if line in seen] == []
