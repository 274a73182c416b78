class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.h0 = self.add_weight(name="h0", shape=(1, units), initializer="glorot_uniform")
        self.c0 = self.add_weight(name="c0", shape=(units,), initializer="random_normal")
        self.W = tf.keras.layers.Dense(4 * units)
        self.U = tf.keras.layers.Dense(4 * units, use_bias=False)

    def call(self, x):
        h = tf.repeat(self.h0, tf.shape(x)[0], axis=0)
        c = tf.zeros_like(h) + self.c0
        outputs = []
        for t in range(x.shape[1]):
            i, f, g, o = tf.split(self.W(x[:, t]) + self.U(h), 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
