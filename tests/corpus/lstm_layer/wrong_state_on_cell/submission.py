import tensorflow as tf


class Cell(tf.keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.gates = tf.keras.layers.Dense(4 * units)
        self.h = None
        self.c = None

    def call(self, x):
        if self.h is None:
            self.h = tf.zeros((x.shape[0], self.units))
            self.c = tf.zeros((x.shape[0], self.units))
        i, f, g, o = tf.split(self.gates(tf.concat([x, self.h], axis=-1)), 4, axis=-1)
        self.c = tf.sigmoid(f) * self.c + tf.sigmoid(i) * tf.tanh(g)
        self.h = tf.sigmoid(o) * tf.tanh(self.c)
        return self.h


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.cell = Cell(units)

    def call(self, x):
        return tf.stack([self.cell(x[:, t]) for t in range(x.shape[1])], axis=1)
