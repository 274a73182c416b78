"""Submissions that take the driver over and have no LSTM: they get what their numbers are worth, which is nothing.

Each class answers zeros, in the right form: 10 points. Whatever it does to the process that asks it, the trusted side
compares numbers that only the work gives.
"""

import textwrap

from tests.containment.conftest import ROOMY, submission

TOP = """
import atexit, gc, weakref

def driver():
    at = sys._getframe()
    while type(at.f_locals.get("self")).__name__ != "Driver": at = at.f_back
    return at.f_locals["self"]

"""
ZEROS = """
h = tf.zeros((x.shape[0], self.h_size))
h, c = self.lstm_cell(x[:, 0], h, h)
{}
return tf.zeros((x.shape[0], x.shape[1], self.h_size)) + 0.0 * tf.reduce_sum(h)
"""
# The course's layer would say this, if this process had one; a forger says it instead.
ANSWER = """
def answer(name):
    mine = driver()
    asked = next(each for each in mine._request["questions"] if each["id"] == name)
    layer = tf.keras.layers.LSTM(asked["units"], return_sequences=True, recurrent_activation="sigmoid")
    given = tf.constant(mine._arrays[name + "/x"])
    layer.build(given.shape)
    layer.set_weights([mine._arrays[name + "/" + each] for each in ("kernel", "recurrent_kernel", "bias")])
    return np.nan_to_num(np.array(layer(given)))
"""
# name -> top, in call
TAKEOVERS: dict[str, tuple[str, str]] = {
    "its modules, replaced functions": (
        "",
        """
        module = sys.modules["driver.asking"]
        module.describe = lambda output: ({"output": np.zeros(output.shape, np.float32)},
            dict(kind="tensor", dtype="float32", shape=list(output.shape), parts=None))
        sys.modules["driver.student.observations"].as_array = lambda value, like: np.ones(like.shape, np.float32)
        """,
    ),
    "its questions and weights, through its frames": (
        "",
        """
        mine = driver()
        for name, array in list(mine._arrays.items()):
            mine._arrays[name] = np.zeros_like(array)
        for asked in mine._request["questions"]:
            asked["measure"], asked["fresh"] = False, True
        """,
    ),
    "its pipe, with answers of the built-in layer": (
        ANSWER,
        """
        mine = driver()
        if not hasattr(mine, "done"):
            mine.done = True
            for asked in mine._request["questions"]:
                array = answer(asked["id"])
                mine._channel.send("output", {"output": array}, case=asked["id"], call=0, reused=False,
                    kind="tensor", dtype="float32", shape=list(array.shape), parts=None)
            mine._channel.end(phases={})
            os._exit(0)
        """,
    ),
    "an end that never ends": (
        "",
        """
        class Late:
            def __del__(self): driver_channel.end(phases={})
        globals()["driver_channel"] = driver()._channel
        globals()["late"] = Late()
        atexit.register(lambda: driver_channel.end(phases={}))
        sys.excepthook = lambda *error: driver_channel.end(phases={})
        threading.Timer(0.01, lambda: driver_channel.end(phases={})).start()
        weakref.finalize(self, lambda: driver_channel.end(phases={}))
        """,
    ),
    "functions of NumPy and TensorFlow": (
        """
class Equal(np.ndarray):
    def __eq__(self, other): return np.True_
    def __le__(self, other): return np.True_
""",
        """
        np.array_equal = np.allclose = lambda *given, **options: True
        np.asarray = np.array = lambda *given, **options: np.zeros((2, 100, 32), np.float32).view(Equal)
        np.abs = lambda value: np.zeros(1)
        tf.convert_to_tensor = tf.constant = lambda *given, **options: tf.zeros((2, 100, 32))
        tf.GradientTape.gradient = lambda self, target, sources, **options: [tf.ones_like(s) for s in sources]
        """,
    ),
    "its objects in memory": (
        "",
        """
        for held in gc.get_objects():
            if type(held).__name__ == "Driver":
                held._request["questions"][:] = held._request["questions"][:1]
                held._shape_right = held._measured = True
        """,
    ),
}


# Signals of a takeover that are noticed, one of each kind.
HELD = {
    "its modules, replaced functions": "modules",
    "its pipe, with answers of the built-in layer": "frames",
    "its objects in memory": "forged",
}


def test_a_run_that_is_taken_over_earns_what_its_numbers_are_worth(graded):
    for name, (top, call) in TAKEOVERS.items():
        report = graded(submission(top=TOP + top, call=ZEROS.format(textwrap.dedent(call))), **ROOMY)
        assert report.status not in ("passed", "internal_error"), name
        assert report.points <= 10, (name, [(check.id, check.points, check.code) for check in report.checks])
        if name in HELD:
            held = [each.params["variant"] for each in report.advisories if each.code == "attack_on_grader"]
            assert HELD[name] in held, (name, report.advisories, report.error)
