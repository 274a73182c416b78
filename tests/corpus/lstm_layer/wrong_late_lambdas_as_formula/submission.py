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

    def call(self, x, h, c):
        gates = {}
        for n in ("I", "F", "O"):
            gates[n] = lambda: tf.sigmoid(getattr(self, "fcX" + n)(x) + getattr(self, "fcH" + n)(h))
        g = tf.tanh(self.fcXC(x) + self.fcHC(h))
        c = gates["F"]() * c + gates["I"]() * g
        return gates["O"]() * tf.tanh(c), c

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def call(self, x):
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        out = []
        for t in range(x.shape[1]):
            h, c = self.lstm_cell(x[:, t], h, c)
            out.append(h)
        return tf.stack(out, axis=1)
