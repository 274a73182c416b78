import tensorflow as tf


class LSTM(tf.keras.Model):
    """One product of x and h joined, cut by numbers alone: nothing names the gates."""

    def __init__(self, units):
        super().__init__()
        self.units = units
        self.product = tf.keras.layers.Dense(4 * units)

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.units))
        outputs = []
        for t in range(x.shape[1]):
            parts = tf.reshape(self.product(tf.concat([h, x[:, t]], axis=1)), (-1, 4, self.units))
            c = tf.sigmoid(parts[:, 2]) * c + tf.sigmoid(parts[:, 0]) * tf.tanh(parts[:, 3])
            h = tf.sigmoid(parts[:, 1]) * tf.tanh(c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
