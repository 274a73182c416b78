import tensorflow as tf
import numpy as np


class LSTM(tf.keras.Model):
    '''LSTM po formulam iz lekcii'''
    def __init__(self, hidden, name=None):
        super().__init__(name=name)
        self.hidden = hidden
        self.A = tf.keras.layers.Dense(hidden * 2, activation='sigmoid', name='if_gates')
        self.B = tf.keras.layers.Dense(hidden, activation='tanh', name='candidate')
        self.C = tf.keras.layers.Dense(hidden, activation='sigmoid', name='out_gate')

    def call(self, x, training=None):
        h = tf.zeros((tf.shape(x)[0], self.hidden))
        c = tf.zeros((tf.shape(x)[0], self.hidden))
        outs = []
        for t in range(x.shape[1]):
            xh = tf.concat([x[:, t, :], h], axis=-1)
            i, f = tf.split(self.A(xh), 2, axis=-1)
            c_new = f * c + i * self.B(xh)
            h = self.C(xh) * tf.tanh(c_new)
            outs.append(h)
        return tf.stack(outs, axis=1)
