import tensorflow as tf
import tf_keras


class LSTM(tf_keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        S, D, A = tf_keras.Sequential, tf_keras.layers.Dense, tf_keras.layers.Activation
        self.gates = [S([D(units), A(a)]) for a in ("sigmoid", "sigmoid", "tanh", "sigmoid")]

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.units))
        outputs = []
        for t in range(x.shape[1]):
            i, f, g, o = [gate(tf.concat([x[:, t], h], 1)) for gate in self.gates]
            c = f * c + i * g
            h = o * tf.tanh(c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
