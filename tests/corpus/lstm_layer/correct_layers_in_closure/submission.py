import numpy as np
import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        D = tf.keras.layers.Dense
        X = [D(h_size) for _ in 'IFCO']; H = [D(h_size, use_bias=False) for _ in 'IFCO']
        self.gate = lambda n, z, h: X[n](z) + H[n](h)

    def call(self, x):
        h = tf.zeros((tf.shape(x)[0], self.h_size))
        c = tf.zeros((tf.shape(x)[0], self.h_size))
        out = []
        for t in range(x.shape[1]):
            z = x[:, t]
            i, f, g, o = [self.gate(n, z, h) for n in range(4)]
            i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
            c = f * c + i * g
            h = o * tf.tanh(c)
            out.append(h)
        return tf.stack(out, axis=1)
