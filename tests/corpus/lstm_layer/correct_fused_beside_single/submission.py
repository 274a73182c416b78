import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n
        D = tf.keras.layers.Dense
        self.Wx = D(4 * n); self.Ui, self.Uf, self.Ug, self.Uo = [D(n, use_bias=False) for _ in range(4)]
    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.n)); hs = []
        for t in range(x.shape[1]):
            a = x[:, t]
            zi, zf, zg, zo = tf.split(self.Wx(a), 4, axis=1)
            i = tf.sigmoid(zi + self.Ui(h)); f = tf.sigmoid(zf + self.Uf(h)); g = tf.tanh(zg + self.Ug(h)); o = tf.sigmoid(zo + self.Uo(h))
            c = f * c + i * g; h = o * tf.tanh(c); hs.append(h)
        return tf.stack(hs, axis=1)
