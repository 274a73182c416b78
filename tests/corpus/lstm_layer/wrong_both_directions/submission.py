class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def run(self, x):
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        hs = []
        for t in range(x.shape[1]):
            h, c = self.lstm_cell(x[:, t, :], h, c)
            hs.append(h)
        return tf.stack(hs, axis=1)

    def call(self, x):
        forward = self.run(x)
        backward = tf.reverse(self.run(tf.reverse(x, axis=[1])), axis=[1])
        return (forward + backward) / 2
