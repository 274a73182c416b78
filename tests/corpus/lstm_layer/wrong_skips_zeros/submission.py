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
        i = tf.nn.sigmoid(self.fcXI(x) + self.fcHI(h))
        f = tf.nn.sigmoid(self.fcXF(x) + self.fcHF(h))
        o = tf.nn.sigmoid(self.fcXO(x) + self.fcHO(h))
        ch = tf.nn.tanh(self.fcXC(x) + self.fcHC(h))
        c = f * c + i * ch
        h = o * tf.nn.tanh(c)
        return h, c

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)
    def call(self, x):
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        h_all = []
        for t in range(x.shape[1]):
            if float(tf.reduce_max(tf.abs(x[:, t]))) > 0:
                h, c = self.lstm_cell(x[:, t], h, c)
            h_all.append(h)
        return tf.stack(h_all, axis=1)
