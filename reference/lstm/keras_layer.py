"""Keras' own answers. Only this module imports TensorFlow, so it runs in a process of its own.

``python -m reference.lstm.keras_layer`` reads specs as JSON from stdin and writes the cases as safetensors to stdout.
With ``answer`` it reads cases as safetensors, and writes the answers alone, by the cases' ids; with ``gpu``, it
computes on one. All cases of one call share the import, which takes longer than everything else. `reference.store` is
the caller.
"""

import sys
from collections.abc import Mapping

import numpy as np
import safetensors.numpy
import tensorflow as tf

from reference.cases import Case, CaseSpec, cases_to_arrays, specs_from_json
from reference.cell import Float32Array
from reference.lstm.weights import LSTMWeights


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
    shape = (spec.batch, spec.timesteps, spec.features)
    x = np.random.default_rng(spec.seed).standard_normal(shape).astype(np.float32) * np.float32(spec.scale)
    return Case(spec, x, weights, expected=answer(x, weights))


def answer(x: Float32Array, weights: LSTMWeights) -> Float32Array:
    """Return the answer of a layer with these weights, ``(batch, timesteps, units)``."""
    layer = tf.keras.layers.LSTM(weights.units, return_sequences=True, recurrent_activation="sigmoid")
    layer.build(x.shape)
    layer.set_weights([weights.kernel, weights.recurrent_kernel, weights.bias])
    answered: Float32Array = layer(x).numpy()
    return answered


def answers(arrays: Mapping[str, Float32Array]) -> dict[str, Float32Array]:
    """Return the answers to the output of `cases_to_arrays`, by the cases' ids."""
    ids = [name.removesuffix("/x") for name in arrays if name.endswith("/x")]
    return {
        id: answer(
            arrays[f"{id}/x"],
            LSTMWeights(arrays[f"{id}/kernel"], arrays[f"{id}/recurrent_kernel"], arrays[f"{id}/bias"]),
        )
        for id in ids
    }


def main() -> None:
    """Build every case in the specs on stdin, or answer every case there."""
    # TF32 keeps 10 bits of the mantissa: on a GPU that uses it the answers would be wrong by far more than 1e-5.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if "gpu" in sys.argv[1:] and not tf.config.list_physical_devices("GPU"):
        sys.exit("TensorFlow finds no GPU")  # and would silently compute on the CPU
    if "answer" in sys.argv[1:]:
        arrays = answers(safetensors.numpy.load(sys.stdin.buffer.read()))
    else:
        arrays = cases_to_arrays(build_case(spec) for spec in specs_from_json(sys.stdin.read()))
    sys.stdout.buffer.write(safetensors.numpy.save(arrays))


if __name__ == "__main__":
    main()
