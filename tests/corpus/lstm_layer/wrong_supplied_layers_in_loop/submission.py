class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def call(self, x):
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        k = self.lstm_cell
        h_all = []
        for t in range(x.shape[1]):
            h_all.append(h)
            e = x[:, t, :]
            i = tf.nn.sigmoid(k.fcXI(e) + k.fcHI(h))
            f = tf.nn.sigmoid(k.fcXF(e) + k.fcHF(h))
            o = tf.nn.sigmoid(k.fcXO(e) + k.fcHO(h))
            g = tf.nn.tanh(k.fcXC(e) + k.fcHC(h))
            c = (1 - f) * c + i * g
            h = o * tf.nn.tanh(c)
        return tf.stack(h_all, axis=1)
