import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n

    def build(self, s):
        m, n = s[-1], self.n
        self.m = m
        A = lambda name, *shape: self.add_weight(name=name, shape=shape)
        self.theta = A("theta", 4 * n * (m + n + 1))

    def call(self, x):
        n = self.n
        h = c = tf.zeros((tf.shape(x)[0], n))
        hs = []
        m = self.m
        p = self.theta
        k = 4 * n
        K = tf.reshape(p[: m * k], (m, k))
        V = tf.reshape(p[m * k : (m + n) * k], (n, k))
        B = p[(m + n) * k :]
        for t in range(x.shape[1]):
            a = x[:, t]
            i, f, g, o = tf.split(a @ K + h @ V + B, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            hs.append(h)
        return tf.stack(hs, axis=1)
