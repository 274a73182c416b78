import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        D = tf.keras.layers.Dense
        self.Wi, self.Wf, self.Wg, self.Wo = D(units), D(units), D(units), D(units)
        self.Ui, self.Uf, self.Ug, self.Uo = (D(units, use_bias=False) for _ in range(4))

    def call(self, x):
        def step(state, xt):
            h, c = state
            i = tf.sigmoid(self.Wi(xt) + self.Ui(h))
            f = tf.sigmoid(self.Wf(xt) + self.Uf(h))
            g = tf.sigmoid(self.Wg(xt) + self.Ug(h))
            o = tf.sigmoid(self.Wo(xt) + self.Uo(h))
            c = f * c + i * g
            return o * tf.tanh(c), c

        zeros = tf.zeros((x.shape[0], self.units))
        steps = tf.transpose(x, [1, 0, 2])
        h, _ = tf.scan(step, steps, initializer=(zeros, zeros))
        return tf.transpose(h, [1, 0, 2])
