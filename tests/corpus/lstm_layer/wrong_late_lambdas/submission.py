import numpy as np
import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, u):
        super().__init__()
        self.u = u
        self.X = [tf.keras.layers.Dense(u) for _ in "ifgo"]; self.H = [tf.keras.layers.Dense(u, use_bias=False) for _ in "ifgo"]
    def call(self, x):
        gates = [lambda a, b: act(self.X[k](a) + self.H[k](b)) for k, act in enumerate([tf.sigmoid, tf.sigmoid, tf.tanh, tf.sigmoid])]
        gates = []
        for k, act in enumerate([tf.sigmoid, tf.sigmoid, tf.tanh, tf.sigmoid]):
            gates.append(lambda a, b: act(self.X[k](a) + self.H[k](b)))
        h = c = tf.zeros((x.shape[0], self.u)); out = []
        for t in range(x.shape[1]):
            i, f, g, o = [q(x[:, t], h) for q in gates]
            c = f*c + i*g; h = o*tf.tanh(c); out.append(h)
        return tf.stack(out, 1)
