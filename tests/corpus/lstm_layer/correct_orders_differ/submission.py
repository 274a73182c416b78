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
            p = tf.split(a @ self.W, 4, 1)
            q = tf.split(h @ self.U, 4, 1)
            r = tf.split(self.b, 4)
            i = p[3] + q[1] + r[2]
            f = p[2] + q[0] + r[3]
            g = p[1] + q[3] + r[0]
            o = p[0] + q[2] + r[1]
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            hs.append(h)
        return tf.stack(hs, axis=1)
