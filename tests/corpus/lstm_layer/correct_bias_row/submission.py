import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n

    def build(self, s):
        m, n = s[-1], self.n
        self.m = m
        A = lambda name, *shape: self.add_weight(name=name, shape=shape)
        self.W = A("W", m + n + 1, 4 * n)

    def call(self, x):
        n = self.n
        h = c = tf.zeros((tf.shape(x)[0], n))
        hs = []
        for t in range(x.shape[1]):
            a = x[:, t]
            z = tf.concat([tf.ones_like(a[:, :1]), h, a], 1) @ self.W
            i, o, f, g = [z[:, k * n : (k + 1) * n] for k in range(4)]
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            hs.append(h)
        return tf.stack(hs, axis=1)
