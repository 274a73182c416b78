class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def call(self, x):
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        h_all = []
        for t in range(x.shape[1]):
            try:
                h, c = self(x[:, t, :], h, c)
            except Exception as e:
                h, c = self(x[:, t, :])
            h_all.append(h)
        return tf.stack(h_all, axis=1)
