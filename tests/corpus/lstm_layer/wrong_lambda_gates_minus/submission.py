import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        dense = lambda bias: tf.keras.layers.Dense(units, use_bias=bias)
        self.fx, self.fh = dense(True), dense(False)
        self.ix, self.ih = dense(True), dense(False)
        self.gx, self.gh = dense(True), dense(False)
        self.ox, self.oh = dense(True), dense(False)

    def call(self, x):
        batch, steps, _ = x.shape
        h = tf.zeros([batch, self.units])
        c = tf.zeros([batch, self.units])
        gate = lambda first, second, xt: tf.sigmoid(tf.add(first(xt), second(h)))
        all_h = []
        for t in range(steps):
            xt = x[:, t]
            forget = gate(self.fx, self.fh, xt)
            inp = gate(self.ix, self.ih, xt)
            out = gate(self.ox, self.oh, xt)
            new = tf.tanh(self.gx(xt) + self.gh(h))
            kept = tf.multiply(forget, c)
            added = tf.multiply(inp, new)
            c = tf.subtract(kept, added)
            h = tf.multiply(out, tf.tanh(c))
            all_h += [h]
        return tf.stack(all_h, axis=1)
