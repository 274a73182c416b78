class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.Wx = tf.keras.layers.Dense(4 * h_size)
        self.Wh = tf.keras.layers.Dense(4 * h_size, use_bias=False)
        self.norm = tf.keras.layers.LayerNormalization()

    def call(self, x):
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        outs = []
        for t in range(x.shape[1]):
            gates = self.norm(self.Wx(x[:, t]) + self.Wh(h))
            i, f, g, o = tf.split(gates, 4, axis=-1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            outs.append(h)
        return tf.stack(outs, axis=1)
