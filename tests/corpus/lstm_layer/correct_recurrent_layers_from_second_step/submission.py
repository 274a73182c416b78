import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.W = {g: tf.keras.layers.Dense(h_size) for g in "ifco"}
        self.U = {g: tf.keras.layers.Dense(h_size, use_bias=False) for g in "ifco"}

    def gate(self, g, x, h):
        return self.W[g](x) if h is None else self.W[g](x) + self.U[g](h)

    def call(self, x):
        h, c, outs = None, None, []
        for t in range(x.shape[1]):
            i, f, o = (tf.sigmoid(self.gate(g, x[:, t], h)) for g in "ifo")
            new = i * tf.tanh(self.gate("c", x[:, t], h))
            c = new if c is None else f * c + new
            h = o * tf.tanh(c)
            outs.append(h)
        return tf.stack(outs, axis=1)
