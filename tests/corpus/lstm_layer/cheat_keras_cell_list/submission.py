import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.cell = tf.keras.layers.LSTMCell(h_size, recurrent_activation="sigmoid")

    def call(self, x):
        states = [tf.zeros((x.shape[0], self.h_size)), tf.zeros((x.shape[0], self.h_size))]
        h_all = []
        for t in range(x.shape[1]):
            h, states = self.cell(x[:, t], states)
            h_all.append(h)
        return h_all
