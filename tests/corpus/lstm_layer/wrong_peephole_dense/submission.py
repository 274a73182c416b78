import numpy as np
import tensorflow as tf


class LSTMCell(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.fcXI = tf.keras.layers.Dense(h_size)
        self.fcHI = tf.keras.layers.Dense(h_size, use_bias=False)
        self.fcXF = tf.keras.layers.Dense(h_size)
        self.fcHF = tf.keras.layers.Dense(h_size, use_bias=False)
        self.fcXC = tf.keras.layers.Dense(h_size)
        self.fcHC = tf.keras.layers.Dense(h_size, use_bias=False)
        self.fcXO = tf.keras.layers.Dense(h_size)
        self.fcHO = tf.keras.layers.Dense(h_size, use_bias=False)
        self.fcCI = tf.keras.layers.Dense(h_size)
        self.fcCF = tf.keras.layers.Dense(h_size)
        self.fcCO = tf.keras.layers.Dense(h_size)

    def call(self, x, h, c):
        i = tf.sigmoid(self.fcXI(x) + self.fcHI(h) + self.fcCI(c))
        f = tf.sigmoid(self.fcXF(x) + self.fcHF(h) + self.fcCF(c))
        ch = tf.tanh(self.fcXC(x) + self.fcHC(h))
        c = f * c + i * ch
        o = tf.sigmoid(self.fcXO(x) + self.fcHO(h) + self.fcCO(c))
        h = o * tf.tanh(c)
        return h, c


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.cell = LSTMCell(h_size)
        self.h_size = h_size

    def call(self, x):
        h = tf.zeros((tf.shape(x)[0], self.h_size))
        c = tf.zeros((tf.shape(x)[0], self.h_size))
        hs, cs = [], []
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], h, c)
            hs.append(h)
            cs.append(c)
        out = tf.stack(hs, axis=1)
        return out
