import tensorflow as tf

class GateLayer(tf.keras.layers.Layer):
    def __init__(self, units, activation):
        super().__init__()
        self.units = units
        self.act = tf.keras.activations.get(activation)
    def build(self, shapes):
        self.w = self.add_weight(name="w", shape=(shapes[0][-1], self.units))
        self.u = self.add_weight(name="u", shape=(self.units, self.units))
        self.b = self.add_weight(name="b", shape=(self.units,))
    def call(self, inputs):
        x, h = inputs
        return self.act(x @ self.w + h @ self.u + self.b)

class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.forget = GateLayer(units, "sigmoid")
        self.input_gate = GateLayer(units, "sigmoid")
        self.cand = GateLayer(units, "tanh")
        self.out = GateLayer(units, "sigmoid")
    def call(self, x):
        h = tf.zeros((tf.shape(x)[0], self.units)); c = tf.zeros_like(h)
        ys = []
        for t in range(x.shape[1]):
            p = [x[:, t], h]
            c = self.forget(p) * c + self.input_gate(p) * self.cand(p)
            h = self.forget(p) * tf.tanh(c)
            ys.append(h)
        return tf.stack(ys, axis=1)
