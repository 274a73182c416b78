import numpy as np
import tensorflow as tf

BATCH_SIZE = 2
SEQ_LEN = 100
EMB_SIZE = 16
x = np.random.rand(BATCH_SIZE, SEQ_LEN, EMB_SIZE).astype(np.float32)
H_SIZE = 32
lstm = tf.keras.layers.LSTM(H_SIZE, return_sequences=True, recurrent_activation='sigmoid')
y = lstm(x)


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        for gate in 'IFCO':
            setattr(self, 'fcX' + gate, tf.keras.layers.TimeDistributed(tf.keras.layers.Dense(h_size)))
            setattr(self, 'fcH' + gate, tf.keras.layers.Dense(h_size, use_bias=False))

    def call(self, x):
        xi, xf, xc, xo = self.fcXI(x), self.fcXF(x), self.fcXC(x), self.fcXO(x)
        h = c = tf.zeros((x.shape[0], self.h_size))
        h_all = []
        for t in range(x.shape[1]):
            i = tf.sigmoid(xi[:, t] + self.fcHI(h))
            f = tf.sigmoid(xf[:, t] + self.fcHF(h))
            o = tf.sigmoid(xo[:, t] + self.fcHO(h))
            c = f * c + i * tf.tanh(xc[:, t] + self.fcHC(h))
            h = o * tf.tanh(c)
            h_all.append(h)
        return tf.stack(h_all, axis=1)
