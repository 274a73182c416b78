import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        for gate in ("input", "forget", "cand", "output"):
            setattr(self, f"x_{gate}", tf.keras.layers.Dense(units))
            setattr(self, f"h_{gate}", tf.keras.layers.Dense(units, use_bias=False))

    def _sum(self, gate, x, h):
        return getattr(self, f"x_{gate}")(x) + getattr(self, f"h_{gate}")(h)

    def _memory(self, x, h, c):
        keep = tf.sigmoid(self._sum("forget", x, h))
        write = tf.sigmoid(self._sum("input", x, h))
        return keep * c + write * tf.tanh(self._sum("cand", x, h))

    def _show(self, x, h, memory):
        gate = tf.sigmoid(self._sum("output", x, h))
        return gate * memory

    def call(self, x):
        h = tf.zeros((x.shape[0], self.units))
        c = tf.zeros((x.shape[0], self.units))
        shown = []
        for t in range(x.shape[1]):
            memory = self._memory(x[:, t], h, c)
            h = self._show(x[:, t], h, memory)
            c = memory
            shown.append(h)
        return tf.stack(shown, axis=1)
