import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units

    def build(self, shape):
        n = self.units
        self.kernels = {}
        for g in ("i", "f", "c", "o"):
            self.kernels[g] = (
                self.add_weight(shape=(shape[-1], n), name=f"W_{g}"),
                self.add_weight(shape=(n, n), name=f"U_{g}"),
                self.add_weight(shape=(n,), name=f"b_{g}"),
            )

    def product(self, g, x, h):
        W, U, b = self.kernels[g]
        return tf.matmul(x, W) + tf.matmul(h, U) + b

    def call(self, x):
        h = tf.zeros((x.shape[0], self.units))
        c = tf.zeros((x.shape[0], self.units))
        ys = []
        for t in range(x.shape[1]):
            i = tf.sigmoid(self.product("i", x[:, t], h))
            f = tf.sigmoid(self.product("f", x[:, t], h) + 1.0)
            g = tf.tanh(self.product("c", x[:, t], h))
            o = tf.sigmoid(self.product("o", x[:, t], h))
            c = f * c + i * g
            h = o * tf.tanh(c)
            ys.append(h)
        return tf.stack(ys, 1)
