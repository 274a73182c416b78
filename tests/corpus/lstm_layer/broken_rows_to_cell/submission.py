import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.lstm_cell = LSTMCell(units)

    def over_one_sequence(self, rows):
        h = c = tf.zeros((self.units,))
        hs = []
        for row in rows:
            h, c = self.lstm_cell(row, h, c)
            hs.append(h)
        return tf.stack(hs)

    def call(self, x):
        return tf.map_fn(self.over_one_sequence, x)
