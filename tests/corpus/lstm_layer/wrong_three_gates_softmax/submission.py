import tensorflow as tf
import numpy as np


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.gates_x = tf.keras.layers.Dense(3 * h_size)
        self.gates_h = tf.keras.layers.Dense(3 * h_size, use_bias=False)
        self.cand_x = tf.keras.layers.Dense(h_size)
        self.cand_h = tf.keras.layers.Dense(h_size, use_bias=False)

    def steps(self, x):
        h = c = tf.zeros((x.shape[0], self.h_size))
        for t in range(x.shape[1]):
            ifo = tf.nn.softmax(self.gates_x(x[:, t]) + self.gates_h(h))
            i, f, o = tf.split(ifo, 3, axis=-1)
            g = tf.tanh(self.cand_x(x[:, t]) + self.cand_h(h))
            c = f * c + i * g
            h = o * tf.tanh(c)
            yield h

    def call(self, x):
        return tf.stack(list(self.steps(x)), axis=1)
