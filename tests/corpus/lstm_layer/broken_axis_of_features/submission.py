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
            h, c = self.cell(x[:, t, :, tf.newaxis], h, c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
