import tensorflow as tf
import numpy as np


class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n
        self.a = tf.keras.layers.Dense(n)
        self.b = tf.keras.layers.Dense(n)
        self.c = tf.keras.layers.Dense(n)
        self.d = tf.keras.layers.Dense(n)

    def call(self, x):
        h = tf.zeros((x.shape[0], self.n))
        s = tf.zeros((x.shape[0], self.n))
        y = []
        for t in range(x.shape[1]):
            v = tf.concat((h, x[:, t]), axis=1)
            s = tf.sigmoid(self.a(v)) * s + tf.sigmoid(self.b(v)) * tf.tanh(self.c(v))
            h = tf.tanh(s)
            y.append(h)
        return tf.stack(y, axis=1)
