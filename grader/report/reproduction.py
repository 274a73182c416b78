"""A short script for Colab that asks the student's class the exercise's own question, with the same numbers.

The weights go where the grader found their places. A place is text from the box, and somebody will run the script. So
it is used only when it consists of attributes and indices and nothing else.
"""

import re
from collections.abc import Mapping
from textwrap import dedent, indent

from grader.assignment import Assignment, CaseEntry
from grader.report.model import Reproduction
from reference.lstm.weights import DENSE_LETTERS

PLACE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*|\[[0-9]{1,3}\]|\['\w{1,40}'\])*")
GATES = "".join(DENSE_LETTERS.values())
ROLES = [f"fc{array}{gate}" for array in "XH" for gate in GATES]


def reproduction(assignment: Assignment, generation: str, roles: Mapping[str, str]) -> Reproduction:
    """Write the public case as a script: the same seeded layer and input as `reference.lstm.keras_layer` makes.

    Args:
        roles: which of the student's attributes holds which weights, as in the report.
    """
    case = assignment.cases[0]
    legacy = 'import os\nos.environ["TF_USE_LEGACY_KERAS"] = "1"  # Keras 2\n' if generation == "2" else ""
    return Reproduction(language="python", source=legacy + _script(case, _places(roles)))


def _places(roles: Mapping[str, str]) -> str:
    """Write the dictionary of the student's parts, as source."""
    places = [roles.get(role, "") for role in ROLES]
    if len(set(places)) == len(ROLES) and all(PLACE.fullmatch(place) for place in places):
        note = "# where the grader found them"
    else:
        places = [f"lstm_cell.{role}" for role in ROLES]
        note = "# the exercise's own names: put in yours"
    lines = (f'"{role[2:]}": model.{place},' for role, place in zip(ROLES, places, strict=True))
    return f"parts = {{  {note}\n{indent(chr(10).join(lines), '    ')}\n}}"


def _script(case: CaseEntry, parts: str) -> str:
    head = dedent(f"""\
        import numpy as np
        import tensorflow as tf

        x = np.random.default_rng({case.seed}).standard_normal(({case.batch}, {case.timesteps}, {case.features}))
        x = x.astype(np.float32)
        keras_lstm = tf.keras.layers.LSTM(
            {case.units},
            return_sequences=True,
            recurrent_activation="sigmoid",
            kernel_initializer=tf.keras.initializers.GlorotUniform(seed={case.seed}),
            recurrent_initializer=tf.keras.initializers.Orthogonal(seed={case.seed + 1}),
            bias_initializer=tf.keras.initializers.RandomNormal(stddev=0.5, seed={case.seed + 2}),
            unit_forget_bias=False,
        )
        expected = keras_lstm(x).numpy()
        kernel, recurrent_kernel, bias = keras_lstm.get_weights()

        model = LSTM({case.units})  # your class
        model(x[:, :1])  # now its weights exist
        """)
    tail = dedent(f"""\


        def put(part, weight, bias):
            if hasattr(part, "set_weights"):  # a Dense layer, with a bias or without
                part.set_weights([weight, bias][: len(part.get_weights())])
            else:  # a weight without a layer: its bias is another one, copy that yourself
                part.assign(weight)


        for n, gate in enumerate("{GATES}"):  # the order of the gates in a Keras kernel
            columns = slice({case.units} * n, {case.units} * (n + 1))
            put(parts["X" + gate], kernel[:, columns], bias[columns])
            put(parts["H" + gate], recurrent_kernel[:, columns], np.zeros({case.units}))
        actual = np.array(model(x))
        print("largest difference:", np.abs(actual - expected).max())
        print("yours:   ", actual[0, :3, 0])
        print("expected:", expected[0, :3, 0])
        """)
    return head + parts + "\n" + tail
