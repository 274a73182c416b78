"""Keras' own answers. Only this module imports TensorFlow, so it runs in a process of its own.

``python -m reference.keras_lstm [gpu]`` reads specs as JSON from stdin and writes the cases as safetensors to stdout.
All cases of one call share the import, which takes longer than everything else. `reference.store` is the caller.
"""

import sys

import numpy as np
import safetensors.numpy
import tensorflow as tf

from reference.cases import Case, CaseSpec, cases_to_arrays, specs_from_json
from reference.weights import LSTMWeights


def build_case(spec: CaseSpec) -> Case:
    """Make a seeded Keras LSTM and a seeded input, and let the layer answer.

    Input and bias are normal, with standard deviations 1 and 0.5; the kernels are initialised as Keras does by default.
    ``wide`` values are all normal; see `CaseSpec`.
    """
    initializers = tf.keras.initializers
    wide = spec.values == "wide"
    layer = tf.keras.layers.LSTM(
        spec.units,
        return_sequences=True,
        recurrent_activation="sigmoid",
        kernel_initializer=initializers.RandomNormal(stddev=2 / spec.features**0.5, seed=spec.seed)
        if wide
        else initializers.GlorotUniform(seed=spec.seed),
        recurrent_initializer=initializers.RandomNormal(stddev=2.5 / spec.units**0.5, seed=spec.seed + 1)
        if wide
        else initializers.Orthogonal(seed=spec.seed + 1),
        bias_initializer=initializers.RandomNormal(stddev=1.0 if wide else 0.5, seed=spec.seed + 2),
        unit_forget_bias=False,
    )
    layer.build((spec.batch, spec.timesteps, spec.features))
    weights = LSTMWeights(*layer.get_weights()).scaled(spec.scale)
    layer.set_weights([weights.kernel, weights.recurrent_kernel, weights.bias])

    shape = (spec.batch, spec.timesteps, spec.features)
    x = np.random.default_rng(spec.seed).standard_normal(shape).astype(np.float32) * np.float32(spec.scale)
    return Case(spec, x, weights, expected=layer(x).numpy())


def main() -> None:
    """Build every case in the specs on stdin."""
    # TF32 keeps 10 bits of the mantissa: on a GPU that uses it the answers would be wrong by far more than 1e-5.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if sys.argv[1:] == ["gpu"] and not tf.config.list_physical_devices("GPU"):
        sys.exit("TensorFlow finds no GPU")  # and would silently compute on the CPU
    cases = [build_case(spec) for spec in specs_from_json(sys.stdin.read())]
    sys.stdout.buffer.write(safetensors.numpy.save(cases_to_arrays(cases)))


if __name__ == "__main__":
    main()
