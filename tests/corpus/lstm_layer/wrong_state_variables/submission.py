import numpy as np
import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, h):
        super().__init__()
        self.hs = h
        self.fx = tf.keras.layers.Dense(4*h); self.fh = tf.keras.layers.Dense(4*h, use_bias=False)
        self.h = tf.Variable(tf.zeros((2, h))); self.c = tf.Variable(tf.zeros((2, h)))
    def call(self, x):
        out = []
        for t in range(x.shape[1]):
            i, f, g, o = tf.split(self.fx(x[:, t]) + self.fh(self.h), 4, axis=-1)
            self.c.assign(tf.sigmoid(f)*self.c + tf.sigmoid(i)*tf.tanh(g))
            self.h.assign(tf.sigmoid(o)*tf.tanh(self.c))
            out.append(tf.identity(self.h))
        return tf.stack(out, 1)
