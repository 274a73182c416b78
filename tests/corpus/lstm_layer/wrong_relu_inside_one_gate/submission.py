import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        for gate in "IFCO":
            setattr(self, f"fcX{gate}", tf.keras.layers.Dense(units))
            setattr(self, f"fcH{gate}", tf.keras.layers.Dense(units, use_bias=False))

    def call(self, x):
        h = c = tf.zeros((x.shape[0], self.units))
        outputs = []
        for t in range(x.shape[1]):
            xt = x[:, t]
            i = tf.sigmoid(self.fcXI(xt) + self.fcHI(h))
            f = tf.sigmoid(self.fcXF(xt) + self.fcHF(h))
            o = tf.sigmoid(self.fcXO(xt) + self.fcHO(h))
            ch = tf.tanh(tf.nn.relu(self.fcXC(xt)) + self.fcHC(h))
            c = f * c + i * ch
            h = o * tf.tanh(c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
