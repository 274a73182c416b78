import tensorflow as tf
import numpy as np


class LSTMCell(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.fcXI = tf.keras.layers.Dense(h_size)
        self.fcHI = tf.keras.layers.Dense(h_size, use_bias=False)
        self.fcXF = tf.keras.layers.Dense(h_size)
        self.fcHF = tf.keras.layers.Dense(h_size, use_bias=False)
        self.fcXC = tf.keras.layers.Dense(h_size)
        self.fcHC = tf.keras.layers.Dense(h_size, use_bias=False)
        self.fcXO = tf.keras.layers.Dense(h_size)
        self.fcHO = tf.keras.layers.Dense(h_size, use_bias=False)

    def call(self, x, h, c):
        i = tf.sigmoid(self.fcXI(x) + self.fcHI(h))
        f = tf.sigmoid(self.fcXF(x) + self.fcHF(h))
        o = tf.sigmoid(self.fcXO(x) + self.fcHO(h))
        ch = tf.tanh(self.fcXC(x) + self.fcHC(h))
        c = f * c + i * ch
        h = o * tf.tanh(c)
        return h, c

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def call(self, x):
        hs = [tf.zeros((x.shape[0], self.h_size))]
        cs = [tf.zeros((x.shape[0], self.h_size))]
        for t in range(len(x)):
            h, c = self.lstm_cell(x[:, t], hs[-1], cs[-1])
            hs.append(h)
            cs.append(c)
        return tf.stack(hs[1:], axis=1)
