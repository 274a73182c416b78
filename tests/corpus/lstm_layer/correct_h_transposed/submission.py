import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n
    def build(self, s):
        A = lambda name, *shape: self.add_weight(name=name, shape=shape)
        m, n = s[-1], self.n
        self.W = {k: A("W" + k, m, n) for k in "ifgo"}; self.U = {k: A("U" + k, n, n) for k in "ifgo"}; self.b = {k: A("b" + k, n) for k in "ifgo"}
    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.n)); hs = []
        T = tf.transpose
        for t in range(x.shape[1]):
            a = x[:, t]
            i, f, o = [tf.sigmoid(a @ self.W[k] + h @ T(self.U[k]) + self.b[k]) for k in "ifo"]; g = tf.tanh(a @ self.W[chr(103)] + h @ T(self.U[chr(103)]) + self.b[chr(103)])
            c = f * c + i * g
            h = o * tf.tanh(c)
            hs.append(h)
        return tf.stack(hs, axis=1)
