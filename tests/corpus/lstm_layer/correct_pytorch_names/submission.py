import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n
    def build(self, s):
        A = lambda name, *shape: self.add_weight(name=name, shape=shape)
        m, n = s[-1], self.n
        self.W_ii = A('W_ii', m, n); self.W_if = A('W_if', m, n); self.W_ig = A('W_ig', m, n); self.W_io = A('W_io', m, n); self.W_hi = A('W_hi', n, n); self.W_hf = A('W_hf', n, n); self.W_hg = A('W_hg', n, n); self.W_ho = A('W_ho', n, n); self.b_ii = A('b_ii', n); self.b_if = A('b_if', n); self.b_ig = A('b_ig', n); self.b_io = A('b_io', n); self.b_hi = A('b_hi', n); self.b_hf = A('b_hf', n); self.b_hg = A('b_hg', n); self.b_ho = A('b_ho', n)
    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.n)); hs = []
        T = tf.transpose
        for t in range(x.shape[1]):
            a = x[:, t]
            i = tf.sigmoid(a @ self.W_ii + self.b_ii + h @ self.W_hi + self.b_hi); f = tf.sigmoid(a @ self.W_if + self.b_if + h @ self.W_hf + self.b_hf); g = tf.tanh(a @ self.W_ig + self.b_ig + h @ self.W_hg + self.b_hg); o = tf.sigmoid(a @ self.W_io + self.b_io + h @ self.W_ho + self.b_ho)
            c = f * c + i * g
            h = o * tf.tanh(c)
            hs.append(h)
        return tf.stack(hs, axis=1)
