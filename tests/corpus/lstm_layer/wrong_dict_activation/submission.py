import tensorflow as tf


class Cell(tf.keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.wx = {name: tf.keras.layers.Dense(units) for name in "ifgo"}
        self.wh = {name: tf.keras.layers.Dense(units, use_bias=False) for name in "ifgo"}

    def call(self, x, h, c):
        sums = {name: self.wx[name](x) + self.wh[name](h) for name in "ifgo"}
        i = tf.sigmoid(sums["i"])
        f = tf.sigmoid(sums["f"])
        g = tf.tanh(sums["g"])
        o = tf.nn.relu(sums["o"])
        c = f * c + i * g
        return o * tf.tanh(c), c


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.cell = Cell(units)

    def call(self, x):
        h = c = tf.zeros((x.shape[0], self.units))
        rows = []
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], h, c)
            rows.append(h)
        return tf.stack(rows, axis=1)
