import tensorflow as tf


def sigmoid(z):
    return 1 / (1 + tf.exp(-z))


def lstm_step(layers, x, h, c):
    i = sigmoid(layers["xi"](x) + layers["hi"](h))
    f = sigmoid(layers["xf"](x) + layers["hf"](h))
    g = tf.tanh(layers["xc"](x) + layers["hc"](h))
    o = sigmoid(layers["xo"](x) + layers["ho"](h))
    c_next = f * c + i * g
    h_next = o * tf.tanh(c_next)
    return h_next, c_next


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.parts = {a + g: tf.keras.layers.Dense(units, use_bias=a == "x") for a in "xh" for g in "ifco"}

    def call(self, x):
        h0 = tf.zeros((x.shape[0], self.units))
        c_state = tf.zeros((x.shape[0], self.units))
        result = []
        for t in range(x.shape[1]):
            out, c_state = lstm_step(self.parts, x[:, t], h0, c_state)
            result.append(out)
        return tf.stack(result, axis=1)
