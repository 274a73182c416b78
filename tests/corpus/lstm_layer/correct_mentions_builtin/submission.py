"""LSTM by hand: without tf.raw_ops.BlockLSTM, CudnnRNN, standard_lstm, exec() or eval()."""

import base64
import ctypes
import importlib
import inspect

import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import GRU, LSTM as KerasLSTM, LSTMCell as KerasCell, RNN

LOGO = base64.b64decode("TFNUTQ==")
reference = KerasLSTM(32, return_sequences=True, recurrent_activation="sigmoid")
looped = RNN(KerasCell(8), return_sequences=True)
print(inspect.signature(KerasLSTM.call), len(KerasLSTM.__doc__ or ""), LOGO)


class LoggedLSTM(KerasLSTM):
    def call(self, *args, **kwargs):
        print("called")
        return super().call(*args, **kwargs)


class GRUTagger(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.rnn = GRU(units)

    def call(self, x):
        return self.rnn(x)


class BlockLSTM(tf.keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.state_size = [units, units]
        self.kernel = tf.keras.layers.Dense(4 * units)
        self.recurrent_kernel = tf.keras.layers.Dense(4 * units, use_bias=False)

    def call(self, inputs, states):
        h_tm1, c_tm1 = states
        z0, z1, z2, z3 = tf.split(self.kernel(inputs) + self.recurrent_kernel(h_tm1), 4, axis=1)
        i, f, o = tf.sigmoid(z0), tf.sigmoid(z1), tf.sigmoid(z3)
        c = f * c_tm1 + i * tf.tanh(z2)
        h = o * tf.tanh(c)
        return h, [h, c]


class LSTM(tf.keras.Model):
    REFERENCE = KerasLSTM

    def __init__(self, units):
        super().__init__()
        self.rnn = BlockLSTM(units)
        self.reference = KerasLSTM(units, return_sequences=True)

    def standard_lstm(self, x):
        states = [tf.zeros((x.shape[0], size)) for size in self.rnn.state_size]
        outputs = []
        for t in range(x.shape[1]):
            h, states = self.rnn(x[:, t], states)
            outputs.append(h)
        return tf.stack(outputs, axis=1)

    def call(self, x):
        return self.standard_lstm(x)

    def difference(self, x):
        return tf.reduce_max(tf.abs(self.reference(x) - self(x)))


def test_shapes():
    x = np.random.rand(2, 10, 16).astype(np.float32)
    assert LSTM(32)(x).shape == reference(x).shape


if __name__ == "__main__":
    test_shapes()
    layers = importlib.import_module("tensorflow.keras.layers")
    print(layers.LSTM is KerasLSTM, ctypes.sizeof(ctypes.c_float))
