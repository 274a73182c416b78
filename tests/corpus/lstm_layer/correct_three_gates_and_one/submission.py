import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n
        D = tf.keras.layers.Dense
        self.gates = D(3 * n, activation="sigmoid"); self.candidate = D(n, activation="tanh")
    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.n)); hs = []
        for t in range(x.shape[1]):
            a = x[:, t]
            z = tf.concat([a, h], 1); i, f, o = tf.split(self.gates(z), 3, axis=1); g = self.candidate(z)
            c = f * c + i * g; h = o * tf.tanh(c); hs.append(h)
        return tf.stack(hs, axis=1)
