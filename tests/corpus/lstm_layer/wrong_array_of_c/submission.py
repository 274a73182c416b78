import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        D = tf.keras.layers.Dense
        self.x_layers = [D(units) for _ in range(4)]
        self.h_layers = [D(units, use_bias=False) for _ in range(4)]

    def call(self, x):
        length = x.shape[1]
        hidden = tf.zeros((x.shape[0], self.units))
        cell = tf.zeros((x.shape[0], self.units))
        array = tf.TensorArray(tf.float32, size=length)
        t = 0
        while t < length:
            i, f, g, o = [wx(x[:, t]) + wh(hidden) for wx, wh in zip(self.x_layers, self.h_layers)]
            cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
            hidden = tf.sigmoid(o) * tf.tanh(cell)
            array = array.write(t, cell)
            t += 1
        return tf.transpose(array.stack(), [1, 0, 2])
