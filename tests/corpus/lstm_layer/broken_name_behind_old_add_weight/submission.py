import numpy as np
import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.u = h_size
        n_in = EMB_SIZE
        for g in "ifco":
            setattr(self, "W_" + g, self.add_weight("W_" + g, (n_in, self.u), initializer="glorot_uniform"))
            setattr(self, "U_" + g, self.add_weight("U_" + g, (self.u, self.u), initializer="glorot_uniform"))
            setattr(self, "b_" + g, self.add_weight("b_" + g, (self.u,), initializer="zeros"))

    def call(self, inputs):
        h = tf.zeros((tf.shape(inputs)[0], self.u))
        c = tf.zeros((tf.shape(inputs)[0], self.u))
        out = []
        for t in range(inputs.shape[1]):
            x = inputs[:, t]
            i = tf.sigmoid(x @ self.W_i + h @ self.U_i + self.b_i)
            f = tf.sigmoid(x @ self.W_f + h @ self.U_f + self.b_f)
            g = tf.tanh(x @ self.W_c + h @ self.U_c + self.b_c)
            o = tf.sigmoid(x @ self.W_o + h @ self.U_o + self.b_o)
            c = f * c + i * g
            h = o * tf.tanh(c)
            out.append(h)
        return tf.stack(outs, axis=1)
