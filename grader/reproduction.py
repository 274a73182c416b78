"""A short script for Colab that asks the student's class the exercise's own question, with the same numbers."""

from __future__ import annotations

from textwrap import dedent

from grader.assignment import Assignment
from grader.report import Reproduction


def reproduction(assignment: Assignment, generation: str) -> Reproduction:
    """The public case as a script: the same seeded layer and input as `reference.keras_lstm` makes."""
    case = assignment.cases[0]
    legacy = 'import os\nos.environ["TF_USE_LEGACY_KERAS"] = "1"  # Keras 2\n' if generation == "2" else ""
    script = dedent(f"""\
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
        model(x[:, :1])
        for n, gate in enumerate("IFCO"):  # the order of the gates in a Keras kernel
            part = slice({case.units} * n, {case.units} * (n + 1))
            getattr(model.lstm_cell, "fcX" + gate).set_weights([kernel[:, part], bias[part]])
            getattr(model.lstm_cell, "fcH" + gate).set_weights([recurrent_kernel[:, part]])
        actual = np.array(model(x))
        print("largest difference:", np.abs(actual - expected).max())
        print("yours:   ", actual[0, :3, 0])
        print("expected:", expected[0, :3, 0])
        """)
    return Reproduction(language="python", source=legacy + script)
