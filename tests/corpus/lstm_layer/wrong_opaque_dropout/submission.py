import numpy as np
import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        D = tf.keras.layers.Dense
        self.a1 = D(h_size); self.b1 = D(h_size, use_bias=False)
        self.a2 = D(h_size); self.b2 = D(h_size, use_bias=False)
        self.a3 = D(h_size); self.b3 = D(h_size, use_bias=False)
        self.a4 = D(h_size); self.b4 = D(h_size, use_bias=False)
        self.drop = tf.keras.layers.Dropout(0.5)

    def call(self, x):
        h = tf.zeros((tf.shape(x)[0], self.h_size))
        c = tf.zeros((tf.shape(x)[0], self.h_size))
        out = []
        for t in range(x.shape[1]):
            z = x[:, t]
            i = tf.sigmoid(self.a1(z) + self.b1(h))
            f = tf.sigmoid(self.a2(z) + self.b2(h))
            g = tf.tanh(self.a4(z) + self.b4(h))
            o = tf.sigmoid(self.a3(z) + self.b3(h))
            c = f * c + i * g
            h = o * tf.tanh(c)
            out.append(h)
        return self.drop(tf.stack(out, axis=1), training=True)
