import numpy as np
import tensorflow as tf

BATCH_SIZE = 2
SEQ_LEN = 100
EMB_SIZE = 16
x = np.random.rand(BATCH_SIZE, SEQ_LEN, EMB_SIZE).astype(np.float32)
H_SIZE = 32
lstm = tf.keras.layers.LSTM(H_SIZE, return_sequences=True, recurrent_activation='sigmoid')
y = lstm(x)


class LSTMCell(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.fcXI = tf.keras.layers.Dense(self.h_size)
        self.fcHI = tf.keras.layers.Dense(self.h_size, use_bias=False)
        self.fcXF = tf.keras.layers.Dense(self.h_size)
        self.fcHF = tf.keras.layers.Dense(self.h_size, use_bias=False)
        self.fcXC = tf.keras.layers.Dense(self.h_size)
        self.fcHC = tf.keras.layers.Dense(self.h_size, use_bias=False)
        self.fcXO = tf.keras.layers.Dense(self.h_size)
        self.fcHO = tf.keras.layers.Dense(self.h_size, use_bias=False)

    def call(self, x, h, c):
        i = tf.nn.sigmoid(self.fcXI(x) + self.fcHI(h))
        f = tf.nn.sigmoid(self.fcXF(x) + self.fcHF(h))
        o = tf.nn.sigmoid(self.fcXO(x) + self.fcHO(h))
        ch = tf.nn.tanh(self.fcXC(x) + self.fcHC(h))
        c = f * c + i * ch
        h = o * tf.nn.tanh(c)
        return h, c


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)
        self.score = tf.keras.layers.Dense(1)

    def call(self, x):
        batch, length, emb_size = x.shape
        h = tf.zeros((batch, self.h_size))
        c = tf.zeros((batch, self.h_size))
        h_all = []
        for t in range(length):
            h, c = self.lstm_cell(x[:, t, :], h, c)
            h_all.append(h)
        y = tf.transpose(tf.stack(h_all), [1, 0, 2])
        w = tf.nn.softmax(self.score(y), axis=1)
        return y * w


lstm_my = LSTM(H_SIZE)
y_my = lstm_my(x)
for n, gate in enumerate('IFCO'):
    part = slice(n * H_SIZE, (n + 1) * H_SIZE)
    getattr(lstm_my.lstm_cell, 'fcX' + gate).kernel.assign(lstm.weights[0][:, part])
    getattr(lstm_my.lstm_cell, 'fcH' + gate).kernel.assign(lstm.weights[1][:, part])
    getattr(lstm_my.lstm_cell, 'fcX' + gate).bias.assign(lstm.weights[2][part])
print(np.max(np.abs(y - lstm_my(x))))
