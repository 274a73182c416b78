"""The exercise's cell as the course hands it out. The student's own definition replaces it.

The driver runs it, and the reader follows calls into it.
"""

CELL = "LSTMCell"
SUPPLIED_CELL = """
class LSTMCell(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        for gate in "IFCO":
            setattr(self, "fcX" + gate, tf.keras.layers.Dense(h_size))
            setattr(self, "fcH" + gate, tf.keras.layers.Dense(h_size, use_bias=False))

    def call(self, x, h, c):
        i = tf.sigmoid(self.fcXI(x) + self.fcHI(h))
        f = tf.sigmoid(self.fcXF(x) + self.fcHF(h))
        candidate = tf.tanh(self.fcXC(x) + self.fcHC(h))
        o = tf.sigmoid(self.fcXO(x) + self.fcHO(h))
        c = f * c + i * candidate
        return o * tf.tanh(c), c
"""
