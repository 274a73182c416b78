import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n
    def build(self, s):
        A = self.add_weight
        for g in "ifgo":
            setattr(self, "W" + g, A(name="W" + g, shape=(s[-1], self.n))); setattr(self, "U" + g, A(name="U" + g, shape=(self.n, self.n)))
        self.B = A(name="B", shape=(4, self.n), initializer="zeros")
    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.n)); hs = []
        b = self.B
        for t in range(x.shape[1]):
            a = x[:, t]
            i = tf.sigmoid(a @ self.Wi + h @ self.Ui + b[0]); f = tf.sigmoid(a @ self.Wf + h @ self.Uf + b[1])
            g = tf.tanh(a @ self.Wg + h @ self.Ug + b[2]); o = tf.sigmoid(a @ self.Wo + h @ self.Uo + b[3])
            c = f * c + i * g; h = o * tf.tanh(c); hs.append(h)
        return tf.stack(hs, axis=1)
