class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def call(self, x):
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        h_all = tf.TensorArray(tf.float32, size=x.shape[1])
        for t in range(x.shape[1]):
            h, c = self.lstm_cell(x[:, t, :], h, c)
            h_all = h_all.write(t, h)
        return h_all
