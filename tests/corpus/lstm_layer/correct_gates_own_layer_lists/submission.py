import tensorflow as tf


class Affine(tf.keras.layers.Layer):
    def __init__(self, units, use_bias=True):
        super().__init__()
        self.units, self.use_bias = units, use_bias

    def build(self, shape):
        self.W = self.add_weight(name="W", shape=(shape[-1], self.units), initializer="glorot_uniform")
        if self.use_bias:
            self.b = self.add_weight(name="b", shape=(self.units,), initializer="zeros")

    def call(self, x):
        y = x @ self.W
        return y + self.b if self.use_bias else y


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.gx = [Affine(units) for _ in range(4)]
        self.gh = [Affine(units, use_bias=False) for _ in range(4)]

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.units))
        outputs = []
        for t in range(x.shape[1]):
            i, f, g, o = [a(x[:, t]) + b(h) for a, b in zip(self.gx, self.gh)]
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
