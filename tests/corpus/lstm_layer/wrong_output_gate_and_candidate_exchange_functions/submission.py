import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.gates = tf.keras.layers.Dense(4 * h_size)

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.h_size))
        hs = []
        for t in range(x.shape[1]):
            i, f, o, ch = tf.split(self.gates(tf.concat([x[:, t], h], axis=1)), 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.sigmoid(ch)
            h = tf.tanh(o) * tf.tanh(c)
            hs.append(h)
        return tf.stack(hs, axis=1)
