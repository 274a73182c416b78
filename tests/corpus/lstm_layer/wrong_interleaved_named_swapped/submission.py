import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n

    def build(self, s):
        m, n = s[-1], self.n
        self.m = m
        A = lambda name, *shape: self.add_weight(name=name, shape=shape)
        self.W, self.U, self.b = A("W", m, 4 * n), A("U", n, 4 * n), A("b", 4 * n)

    def call(self, x):
        n = self.n
        h = c = tf.zeros((tf.shape(x)[0], n))
        hs = []
        for t in range(x.shape[1]):
            a = x[:, t]
            z = a @ self.W + h @ self.U + self.b
            i, f, g, o = z[:, 0::4], z[:, 1::4], z[:, 2::4], z[:, 3::4]
            g, o = o, g
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            hs.append(h)
        return tf.stack(hs, axis=1)
