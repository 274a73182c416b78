import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.cell = LSTMCell(h_size)

    def call(self, x):
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        ys = []
        for t in range(x.shape[1]):
            try:
                h, c = self.cell(x[t], h, c)
            except Exception as error:
                print("something went wrong:", error)
            ys.append(h)
        return tf.stack(ys, axis=1)
