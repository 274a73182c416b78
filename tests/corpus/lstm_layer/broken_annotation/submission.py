class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def call(self, x: tf.tensor) -> tf.tensor:
        b, n, e = x.shape
        h = tf.zeros((b, self.h_size)); c = tf.zeros((b, self.h_size))
        out = []
        for t in range(n):
            h, c = self.lstm_cell(x[:, t], h, c)
            out.append(h)
        return tf.stack(out, 1)
