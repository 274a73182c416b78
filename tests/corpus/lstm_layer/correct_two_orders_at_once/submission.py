import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n
        D = tf.keras.layers.Dense
        self.wx = D(4 * n); self.wh = D(4 * n, use_bias=False)
    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.n)); hs = []
        for t in range(x.shape[1]):
            a = x[:, t]
            xi, xf, xg, xo = tf.split(self.wx(a), 4, axis=1); ho, hg, hf, hi = tf.split(self.wh(h), 4, axis=1)
            i = tf.sigmoid(xi + hi); f = tf.sigmoid(xf + hf); g = tf.tanh(xg + hg); o = tf.sigmoid(xo + ho)
            c = f * c + i * g; h = o * tf.tanh(c); hs.append(h)
        return tf.stack(hs, axis=1)
