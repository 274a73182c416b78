class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def call(self, x):
        x = (x - tf.reduce_mean(x, axis=1, keepdims=True)) / tf.math.reduce_std(x, axis=1, keepdims=True)
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        h_all = []
        for t in range(x.shape[1]):
            h, c = self.lstm_cell(x[:, t, :], h, c)
            h_all.append(h)
        return tf.stack(h_all, axis=1)
