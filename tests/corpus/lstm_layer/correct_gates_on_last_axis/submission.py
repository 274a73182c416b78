import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units

    def build(self, shape):
        f = shape[-1]
        u = self.units
        self.W = self.add_weight(name="W", shape=(f, u, 4))
        self.U = self.add_weight(name="U", shape=(u, u, 4))
        self.b = self.add_weight(name="b", shape=(u, 4), initializer="zeros")

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.units))
        outputs = []
        for t in range(x.shape[1]):
            z = tf.tensordot(x[:, t], self.W, 1) + tf.tensordot(h, self.U, 1) + self.b
            f, i, o, g = z[..., 0], z[..., 1], z[..., 2], z[..., 3]
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
