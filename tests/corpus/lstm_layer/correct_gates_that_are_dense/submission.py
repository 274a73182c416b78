import numpy as np
import tensorflow as tf


class Gate(tf.keras.layers.Dense):
    """A Dense for x that also has a matrix for h."""

    def build(self, shape):
        super().build(shape)
        self.back = self.add_weight(name="back", shape=(self.units, self.units), initializer="orthogonal")

    def call(self, x, h):
        return self.activation(tf.matmul(x, self.kernel) + tf.matmul(h, self.back) + self.bias)


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.forget_gate = Gate(units, activation="sigmoid")
        self.input_gate = Gate(units, activation="sigmoid")
        self.candidate = Gate(units, activation="tanh")
        self.output_gate = Gate(units, activation="sigmoid")

    def call(self, x):
        h = tf.zeros((tf.shape(x)[0], self.units))
        c = tf.zeros((tf.shape(x)[0], self.units))
        states = []
        for t in range(x.shape[1]):
            xt = x[:, t, :]
            f, i = self.forget_gate(xt, h), self.input_gate(xt, h)
            g, o = self.candidate(xt, h), self.output_gate(xt, h)
            c = f * c + i * g
            h = o * tf.tanh(c)
            states.append(h)
        return tf.stack(states, axis=1)
