import numpy as np
import tensorflow as tf

class LSTMCell(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        for g in "IFCO":
            setattr(self, "fcX" + g, tf.keras.layers.Dense(h_size))
            setattr(self, "fcH" + g, tf.keras.layers.Dense(h_size, use_bias=False))

    def call(self, x, h, c):
        i = tf.sigmoid(self.fcXI(x) + self.fcHI(h))
        f = tf.sigmoid(self.fcXF(x) + self.fcHF(h))
        ch = tf.tanh(self.fcXC(x) + self.fcHC(h))
        o = tf.sigmoid(self.fcXO(x) + self.fcHO(h))
        c = f * c + i * ch
        return o * tf.tanh(c), c

class LSTM(tf.keras.Model):
    def __init__(self, qq=64):
        super().__init__()
        self.u = qq
        self.cell = LSTMCell(self.u)

    def call(self, inputs):
        h = tf.zeros((tf.shape(inputs)[0], self.u))
        c = tf.zeros((tf.shape(inputs)[0], self.u))
        out = []
        for t in range(inputs.shape[1]):
            h, c = self.cell(inputs[:, t], h, c)
            out.append(h)
        return tf.stack(out, axis=1)
