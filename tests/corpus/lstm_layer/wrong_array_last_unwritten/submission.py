import tensorflow as tf
import numpy as np


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size

    def build(self, shape):
        self.kernel = self.add_weight(name='kernel', shape=(int(shape[-1]), 4 * self.h_size))
        self.recurrent_kernel = self.add_weight(name='recurrent_kernel', shape=(self.h_size, 4 * self.h_size))
        self.bias = self.add_weight(name='bias', shape=(4 * self.h_size,))
        self.built = True

    def call(self, x):
        steps = x.shape[1]
        batch = x.shape[0]
        ta = tf.TensorArray(tf.float32, size=steps)
        h0 = tf.zeros([batch, self.h_size])
        c0 = tf.zeros([batch, self.h_size])

        def cond(t, h, c, ta):
            return t < steps - 1

        def body(t, h, c, ta):
            z = tf.matmul(x[:, t], self.kernel) + tf.matmul(h, self.recurrent_kernel) + self.bias
            i, f, g, o = tf.split(z, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            return t + 1, h, c, ta.write(t, h)

        _, h, c, ta = tf.while_loop(cond, body, (0, h0, c0, ta))
        return tf.transpose(ta.stack(), [1, 0, 2])
