import numpy as np
import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        D = tf.keras.layers.Dense
        self.fcXI = D(h_size); self.fcHI = D(h_size, use_bias=False)
        self.fcXF = D(h_size); self.fcHF = D(h_size, use_bias=False)
        self.fcXC = D(h_size); self.fcHC = D(h_size, use_bias=False)
        self.fcXO = D(h_size); self.fcHO = D(h_size, use_bias=False)

    def call(self, x):
        h = tf.zeros((10, self.h_size))
        c = tf.zeros((10, self.h_size))
        out = []
        for t in range(x.shape[1]):
            z = x[:, t]
            i = tf.sigmoid(self.fcXI(z) + self.fcHI(h))
            f = tf.sigmoid(self.fcXF(z) + self.fcHF(h))
            g = tf.tanh(self.fcXC(z) + self.fcHC(h))
            o = tf.sigmoid(self.fcXO(z) + self.fcHO(h))
            c = f * c + i * g
            h = o * tf.tanh(c)
            out.append(h)
        return tf.stack(out, axis=1)
