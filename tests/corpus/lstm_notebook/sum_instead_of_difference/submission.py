import numpy as np
import tensorflow as tf
BATCH_SIZE = 2
SEQ_LEN = 100
EMB_SIZE = 16
H_SIZE = 32
x = np.random.rand(BATCH_SIZE, SEQ_LEN, EMB_SIZE).astype(np.float32)
lstm = tf.keras.layers.LSTM(H_SIZE, return_sequences=True, recurrent_activation='sigmoid')
y = lstm(x)

class LSTMCell(tf.keras.Model):
    def __init__(self, h):
        super().__init__()
        for g in "IFCO":
            setattr(self, "fcX" + g, tf.keras.layers.Dense(h))
            setattr(self, "fcH" + g, tf.keras.layers.Dense(h, use_bias=False))
    def call(self, x, h, c):
        i = tf.sigmoid(self.fcXI(x) + self.fcHI(h))
        f = tf.sigmoid(self.fcXF(x) + self.fcHF(h))
        o = tf.sigmoid(self.fcXO(x) + self.fcHO(h))
        c = f * c + i * tf.tanh(self.fcXC(x) + self.fcHC(h))
        return o * tf.tanh(c), c

class LSTM(tf.keras.Model):
    def __init__(self, h):
        super().__init__()
        self.h = h
        self.cell = LSTMCell(h)
    def call(self, x):
        h = c = tf.zeros((x.shape[0], self.h))
        out = []
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], h, c)
            out.append(h)
        return tf.stack(out, 1)

my = LSTM(H_SIZE)
my(x)
W, U, b = lstm.get_weights()
for k, g in enumerate("IFCO"):
    s = slice(k * H_SIZE, (k + 1) * H_SIZE)
    getattr(my.cell, "fcX" + g).set_weights([W[:, s], b[s]])
    getattr(my.cell, "fcH" + g).set_weights([U[:, s]])

y = lstm(x)
z = my(x)
print(np.sum(np.abs(y)) + np.sum(np.abs(z)))
