class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.cells = [LSTMCell(h_size) for _ in range(SEQ_LEN)]

    def call(self, x):
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        h_all = []
        for t, cell in enumerate(self.cells):
            h, c = cell(x[:, t, :], h, c)
            h_all.append(h)
        return tf.stack(h_all, axis=1)
