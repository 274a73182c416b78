import tensorflow as tf
import tf_keras


def gate(n_in, units, activation):
    x, h = tf_keras.Input((n_in,)), tf_keras.Input((units,))
    z = tf_keras.layers.Dense(units)(x) + tf_keras.layers.Dense(units, use_bias=False)(h)
    return tf_keras.Model([x, h], tf_keras.layers.Activation(activation)(z))


class LSTM(tf_keras.Model):
    def __init__(self, n_in, units):
        super().__init__()
        self.units = units
        self.i_gate, self.f_gate, self.o_gate = (gate(n_in, units, "sigmoid") for _ in range(3))
        self.candidate = gate(n_in, units, "tanh")

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.units))
        outputs = []
        for t in range(x.shape[1]):
            step = [x[:, t], h]
            i, f, o, g = self.i_gate(step), self.f_gate(step), self.o_gate(step), self.candidate(step)
            c = f * c + i * g
            h = o * tf.tanh(c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
