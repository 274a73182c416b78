import tensorflow as tf


class LSTM(tf.keras.Model):
    """The step is called h here and the state s, so the names tell the order in `concat` the wrong way round."""

    def __init__(self, units):
        super().__init__()
        self.units = units
        for gate in "ifco":
            setattr(self, "dense_" + gate, tf.keras.layers.Dense(units))

    def call(self, x):
        s = c = tf.zeros((tf.shape(x)[0], self.units))
        outputs = []
        for h in tf.unstack(x, axis=1):
            z = tf.concat([h, s], axis=1)
            i, f, o = (tf.sigmoid(getattr(self, "dense_" + gate)(z)) for gate in "ifo")
            c = f * c + i * tf.tanh(self.dense_c(z))
            s = o * tf.tanh(c)
            outputs.append(s)
        return tf.stack(outputs, axis=1)
