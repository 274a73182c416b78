"""Layers and calls that each break one clause of the short way through a plain Dense, in one submission.

It calls each of them three times and prints the answers and their gradients, before the class is run.
"""

import textwrap
from collections.abc import Mapping

CALLS = """
import threading
import zlib
from types import SimpleNamespace
from unittest.mock import patch
import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import Dense, Layer

class Caller(tf.keras.layers.Layer):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def build(self, shape):
        self.built = True

    def call(self, x):
        return self.function(x)


def show(name, layer, call):
    x = tf.reshape(tf.range(18.0), (3, 6)) / 7.0
    caller = Caller(lambda x: call(layer, x))
    for _ in range(3):
        try:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = caller(x)
        except ValueError as error:
            print(name, type(error))
        else:
            gradients = tape.gradient(y, [x, *layer.trainable_variables])
            numbers = [np.array(value) for value in (y, *gradients) if value is not None]
            print(name, [(array.dtype, array.shape, zlib.crc32(array.tobytes())) for array in numbers])

{functions}

class LSTM(tf.keras.Model):
    shown = [show(*parts) for parts in ({parts})]

    def __init__(self, units):
        raise NotImplementedError
"""
CALL = """
def layer{index}():
    {layer}
    return L

def call{index}(L, x):
    {call}
    return y
"""
BUILT = "L = Dense(4)\nL.build((None, 6))\n"
PECULIAR_LAYERS = {
    "another activation": "L = Dense(4)\nL.activation = tf.keras.activations.relu",
    "a subclass": "class Twice(Dense):\n    def call(self, x): return 2.0 * super().call(x)\nL = Twice(4)",
    "its own method": "L = Dense(4)\nL.call = lambda x, training=None: 2.0 * x",
    "its own mask": "L = Dense(4)\nL.compute_mask = lambda *a, **k: print('asked')",
    "a regularizer": "L = Dense(4, activity_regularizer=lambda y: print('asked') or tf.reduce_sum(y))",
    "half precision": "L = Dense(4, dtype='mixed_float16')",
    "double precision": "L = Dense(4, dtype='float64')",
    "no casting": "L = Dense(4, autocast=False)",
    "one unit": "L = Dense(1)",
    "a sigmoid": "L = Dense(4, activation='sigmoid')",
    "a tanh of one unit": "L = Dense(1, activation='tanh')",
    "no bias": "L = Dense(4, use_bias=False)",
    "a tensor as kernel": BUILT + "vars(L)['_kernel' if '_kernel' in vars(L) else 'kernel'] = tf.ones((6, 4))",
    "a tensor as bias": BUILT + "vars(L)['bias'] = tf.ones(4)",
    "a bias switched off": BUILT + "L.bias.assign(tf.ones(4))\nL.use_bias = False",
}
PECULIAR_LAYERS_OF_KERAS_3 = {
    "low rank": BUILT + "L.enable_lora(2, b_initializer='ones')",
    "quantized": BUILT + "L.quantize('int8')",
    "activations computed again": "with tf.keras.RematScope('activations'):\n    L = Dense(4, activation='relu')",
}
PECULIAR_CALLS = {
    "as a keyword": "y = L(inputs=x)",
    "three axes": "y = L(x[:, tf.newaxis])",
    "another dtype": "y = L(tf.cast(x, tf.float64))",
    "whole numbers": "y = L(tf.cast(10 * x, tf.int32))",
    "an array": "y = L(np.array(x))",
    "no rows": "y = L(x[:0])",
    "a mask": "x = tf.identity(x)\nx._keras_mask = x[:, 0] > 1.0\ny = L(x)\nprint(hasattr(y, '_keras_mask'))",
    "a width that does not fit": "y = L(x) + L(x[:, 1:])",
    "an input spec": "y = L(x)\nL.input_spec = tf.keras.layers.InputSpec(ndim=3)\ny = L(x)",
    "a bias taken away": "y = L(x)\nvars(L)['bias'] = None\ny = L(x)",
    "a graph": "y = tf.function(L)(x)",
    "forwards": "with tf.autodiff.ForwardAccumulator(x, x) as forwards:\n    y = L(x)\ny = forwards.jvp(y)",
    "gradients": "with tf.GradientTape() as tape:\n    y = L(x) ** 2\ny = tape.gradient(y, L.kernel)",
    "a tape that watches nothing": (
        "with tf.GradientTape(watch_accessed_variables=False) as tape:\n    y = L(x)\nprint(tape.gradient(y, L.kernel))"
    ),
    "another thread": (
        "answers = []\nthread = threading.Thread(target=lambda: answers.append(L(x)))\n"
        "thread.start()\nthread.join()\ny = answers[0]"
    ),
}
PECULIAR_CALLS_OF_KERAS_3 = {
    "distributed": (
        "from keras.src.backend.common import global_state\n"
        "layout = SimpleNamespace(get_tensor_layout=print, get_variable_layout=lambda variable: None)\n"
        "global_state.set_global_attribute('distribution', layout)\ny = L(x)\n"
        "global_state.set_global_attribute('distribution', None)"
    ),
    "without a state": (
        "with tf.keras.StatelessScope(state_mapping=[(v, 0.5 * v.value) for v in L.variables]):\n    y = L(x)"
    ),
}
# What a submission may put into the place of Keras' own code.
PATCHES = {
    "another call": "Dense, 'call', lambda self, x, **k: 2.0 * x",
    "another way to call": "Dense, '__call__', lambda self, x: 2.0 * x",
    "another mask": "Dense, 'compute_mask', lambda *a, **k: print('asked')",
    "a look at attributes": "Dense, '__getattribute__', lambda self, k: print(k) or Layer.__getattribute__(self, k)",
    "another attribute": "Dense, 'activation', property(lambda self: tf.tanh), create=True",
    "another way to call any layer": "Layer, '__call__', lambda self, x: 2.0 * x",
    "another product": "tf, 'matmul', lambda a, b, **k: 2.0 * a[:, :4]",
    "another sum": "tf.nn, 'bias_add', lambda y, *a, **k: 2.0 * y",
}
PATCHES_OF_KERAS_3 = {
    "another kernel": "Dense, 'kernel', property(lambda self: tf.ones((6, 4)))",
    "another product of Keras": "__import__('keras').src.ops, 'matmul', lambda a, b: 2.0 * a[:, :4]",
}


def calls(generation: str) -> dict[str, tuple[str, str]]:
    """The code that makes a layer and the code that calls it, by what is peculiar."""
    layers, of_plain, patches = dict(PECULIAR_LAYERS), dict(PECULIAR_CALLS), dict(PATCHES)
    if generation == "3":
        layers |= PECULIAR_LAYERS_OF_KERAS_3
        of_plain |= PECULIAR_CALLS_OF_KERAS_3
        patches |= PATCHES_OF_KERAS_3
    of_plain |= {name: f"with patch.object({what}):\n    y = L(x)" for name, what in patches.items()}
    return {name: (layer, "y = L(x)") for name, layer in layers.items()} | {
        name: (BUILT, call) for name, call in of_plain.items()
    }


def submission(pairs: Mapping[str, tuple[str, str]]) -> str:
    """A source that shows the answers to these calls."""
    functions, parts = "", ""
    for index, (name, codes) in enumerate(pairs.items()):
        layer, call = (textwrap.indent(code, " " * 4).strip() for code in codes)
        functions += CALL.format(index=index, layer=layer, call=call)
        parts += f"({name!r}, layer{index}(), call{index}), "
    return CALLS.format(functions=functions, parts=parts)
