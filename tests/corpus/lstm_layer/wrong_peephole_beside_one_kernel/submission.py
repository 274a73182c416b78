import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units

    def build(self, input_shape):
        rows = input_shape[-1] + self.units
        self.all_gates = self.add_weight(name="all_gates", shape=(rows, 4 * self.units))
        self.offsets = self.add_weight(name="offsets", shape=(4 * self.units,), initializer="zeros")
        self.look_i = self.add_weight(name="look_i", shape=(self.units,), initializer="zeros")
        self.look_f = self.add_weight(name="look_f", shape=(self.units,), initializer="zeros")
        self.look_o = self.add_weight(name="look_o", shape=(self.units,), initializer="zeros")

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.units))
        outputs = []
        for step in tf.unstack(x, axis=1):
            sums = tf.concat([h, step], axis=-1) @ self.all_gates + self.offsets
            first, second, third, fourth = tf.split(sums, 4, axis=-1)
            i = tf.sigmoid(first + self.look_i * c)
            f = tf.sigmoid(second + self.look_f * c)
            c = f * c + i * tf.tanh(third)
            h = tf.sigmoid(fourth + self.look_o * c) * tf.tanh(c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
