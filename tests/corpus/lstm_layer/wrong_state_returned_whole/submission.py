import tensorflow as tf
import numpy as np


class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n
        self.lin_i = tf.keras.layers.Dense(n); self.lin_f = tf.keras.layers.Dense(n)
        self.lin_g = tf.keras.layers.Dense(n); self.lin_o = tf.keras.layers.Dense(n)

    def cell(self, x, s):
        h, c = s[:, :self.n], s[:, self.n:]
        xh = tf.concat([x, h], 1)
        i = tf.sigmoid(self.lin_i(xh))
        f = tf.sigmoid(self.lin_f(xh))
        g = tf.tanh(self.lin_g(xh))
        o = tf.sigmoid(self.lin_o(xh))
        c = f * c + i * g
        h = o * tf.tanh(c)
        return tf.concat([h, c], 1)

    def call(self, x):
        s = tf.zeros((x.shape[0], 2 * self.n))
        hs = []
        for t in range(x.shape[1]):
            s = self.cell(x[:, t], s)
            hs.append(s)
        return tf.stack(hs, axis=1)
