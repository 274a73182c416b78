class MyCell(tf.keras.layers.Layer):
    def __init__(self, h_size):
        super().__init__()
        self.Wxi = tf.keras.layers.Dense(h_size); self.Whi = tf.keras.layers.Dense(h_size, use_bias=False)
        self.Wxf = tf.keras.layers.Dense(h_size, trainable=False); self.Whf = tf.keras.layers.Dense(h_size, use_bias=False)
        self.Wxc = tf.keras.layers.Dense(h_size); self.Whc = tf.keras.layers.Dense(h_size, use_bias=False)
        self.Wxo = tf.keras.layers.Dense(h_size); self.Who = tf.keras.layers.Dense(h_size, use_bias=False)

    def call(self, x, state):
        h, c = state
        i = tf.sigmoid(self.Wxi(x) + self.Whi(h))
        f = tf.sigmoid(self.Wxf(x) + self.Whf(h))
        c_tilde = tf.tanh(self.Wxc(x) + self.Whc(h))
        o = tf.sigmoid(self.Wxo(x) + self.Who(h))
        c = f * c + i * c_tilde
        h = o * tf.tanh(c)
        return h, (h, c)


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.cell = MyCell(h_size)

    def call(self, x):
        state = (tf.zeros((x.shape[0], self.h_size)), tf.zeros((x.shape[0], self.h_size)))
        ys = []
        for x_t in tf.unstack(x, axis=1):
            y, state = self.cell(x_t, state)
            ys.append(y)
        return tf.stack(ys, axis=1)
