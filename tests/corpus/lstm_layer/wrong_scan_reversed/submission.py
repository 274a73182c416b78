import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.Wi, self.Wf, self.Wc, self.Wo = [tf.keras.layers.Dense(dim) for _ in range(4)]
        self.Ui, self.Uf, self.Uc, self.Uo = [tf.keras.layers.Dense(dim, use_bias=False) for _ in range(4)]
    def call(self, x):
        xs = tf.transpose(x, [1, 0, 2])
        zero = tf.zeros((tf.shape(x)[0], self.dim))
        def step(state, xt):
            h, c = state
            i = tf.sigmoid(self.Wi(xt) + self.Ui(h))
            f = tf.sigmoid(self.Wf(xt) + self.Uf(h))
            g = tf.tanh(self.Wc(xt) + self.Uc(h))
            o = tf.sigmoid(self.Wo(xt) + self.Uo(h))
            c = f * c + i * g
            h = o * tf.tanh(c)
            return h, c
        step((zero, zero), xs[0])
        hs, cs = tf.scan(step, xs, initializer=(zero, zero), reverse=True)
        return tf.transpose(hs, [1, 0, 2])
