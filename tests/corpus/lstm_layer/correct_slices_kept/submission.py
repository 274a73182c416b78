import numpy as np
import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.u = units
    def build(self, shape):
        u = self.u
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], 4*u), initializer="glorot_uniform")
        self.recurrent_kernel = self.add_weight(name="recurrent_kernel", shape=(u, 4*u), initializer="orthogonal")
        self.bias = self.add_weight(name="bias", shape=(4*u,), initializer="zeros")

    def call(self, x):
        u = self.u
        self.kernel_i = self.kernel[:, :u]; self.kernel_f = self.kernel[:, u:2*u]
        h = c = tf.zeros((tf.shape(x)[0], u))
        out = []
        for t in range(x.shape[1]):
            z = x[:, t] @ self.kernel + h @ self.recurrent_kernel + self.bias
            i, f, g, o = tf.split(z, 4, axis=1)
            c = tf.sigmoid(f)*c + tf.sigmoid(i)*tf.tanh(g); h = tf.sigmoid(o)*tf.tanh(c)
            out.append(h)
        return tf.stack(out, axis=1)
