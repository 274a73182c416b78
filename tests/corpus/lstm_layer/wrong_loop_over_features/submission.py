import numpy as np
import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def call(self, x):
        batch, length, emb_size = x.shape
        h = tf.zeros((batch, self.h_size))
        c = tf.zeros((batch, self.h_size))
        outs = []
        for t in range(emb_size):
            h, c = self.lstm_cell(x[:, t], h, c)
            outs.append(h)
        return tf.stack(outs, axis=1)
