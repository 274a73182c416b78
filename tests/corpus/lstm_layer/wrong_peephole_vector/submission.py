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
        self.w_ci = self.add_weight(name='w_ci', shape=(h_size,), initializer='zeros')
        self.w_cf = self.add_weight(name='w_cf', shape=(h_size,), initializer='zeros')
        self.w_co = self.add_weight(name='w_co', shape=(h_size,), initializer='zeros')

    def call(self, x, h, c):
        i = tf.sigmoid(self.fcXI(x) + self.fcHI(h) + self.w_ci * c)
        f = tf.sigmoid(self.fcXF(x) + self.fcHF(h) + self.w_cf * c)
        ch = tf.tanh(self.fcXC(x) + self.fcHC(h))
        o = tf.sigmoid(self.fcXO(x) + self.fcHO(h) + self.w_co * c)
        c = f * c + i * ch
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
