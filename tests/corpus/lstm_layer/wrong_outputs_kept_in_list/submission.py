class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)
        self.history = []

    def call(self, x):
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        for t in range(x.shape[1]):
            h, c = self.lstm_cell(x[:, t, :], h, c)
            self.history.append(h)
        return tf.stack(self.history, axis=1)
