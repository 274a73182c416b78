import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n
        self.Wi, self.Wf, self.Wc, self.Wo = [tf.keras.layers.Dense(n) for _ in range(4)]
    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.n)); hs = []
        for t in range(x.shape[1]):
            z = tf.concat([x[:, t], h], 1)
            i = tf.sigmoid(self.Wi(z)); f = tf.sigmoid(self.Wf(z)); g = tf.tanh(self.Wc(z)); o = tf.sigmoid(self.Wo(z))
            c = c + i * g; h = o * tf.tanh(c)
            hs.append(h)
        return tf.stack(hs, axis=1)
