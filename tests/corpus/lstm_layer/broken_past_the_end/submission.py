import numpy as np
import tensorflow as tf

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
        g = tf.tanh(self.fcXC(x) + self.fcHC(h))
        c = f * c + i * g
        h = o * tf.tanh(c)
        return h, c

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def call(self, x):
        batch, length, emb_size = x.shape
        h = tf.zeros((batch, self.h_size))
        c = tf.zeros((batch, self.h_size))
        outs = []
        for t in range(length + 1):
            h, c = self.lstm_cell(x[:, t, :], h, c)
            outs.append(h)
        return tf.stack(outs, axis=1)
