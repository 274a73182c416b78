import numpy as np
import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.u = units
        self.wx = tf.keras.layers.Dense(units); self.wh = tf.keras.layers.Dense(units, use_bias=False)
    def call(self, x):
        h = tf.zeros((x.shape[0], self.u)); out = []
        for t in range(x.shape[1]):
            h = tf.tanh(self.wx(x[:, t]) + self.wh(h))
            out.append(h)
        return tf.stack(out, 1)
