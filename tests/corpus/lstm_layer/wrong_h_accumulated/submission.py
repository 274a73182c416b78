import tensorflow as tf

D = tf.keras.layers.Dense


class LSTMCell(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.fcXI, self.fcHI = D(n), D(n, use_bias=False)
        self.fcXF, self.fcHF = D(n), D(n, use_bias=False)
        self.fcXC, self.fcHC = D(n), D(n, use_bias=False)
        self.fcXO, self.fcHO = D(n), D(n, use_bias=False)

    def call(self, x, h, c):
        i = tf.sigmoid(self.fcXI(x) + self.fcHI(h))
        f = tf.sigmoid(self.fcXF(x) + self.fcHF(h))
        ch = tf.sigmoid(self.fcXC(x) + self.fcHC(h))
        o = tf.sigmoid(self.fcXO(x) + self.fcHO(h))
        c = f * c + i * ch
        h += o * tf.tanh(c)
        return h, c


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.cell = LSTMCell(h_size)

    def call(self, x):
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        outputs = []
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], h, c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
