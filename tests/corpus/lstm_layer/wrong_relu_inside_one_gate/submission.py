import numpy as np
import tensorflow as tf
print(tf.__version__)

BATCH_SIZE = 2
SEQ_LEN = 100 # Длина последовательности
EMB_SIZE = 16 # Размер векторного представления (эмбеддинга)

x = np.random.rand(BATCH_SIZE, SEQ_LEN, EMB_SIZE).astype(np.float32)
print(x.shape)

H_SIZE = 32

lstm = tf.keras.layers.LSTM(H_SIZE, return_sequences=True, recurrent_activation='sigmoid')
y = lstm(x)
print(y.shape)

class LSTMCell(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        # input gate
        self.fcXI = tf.keras.layers.Dense(self.h_size)
        self.fcHI = tf.keras.layers.Dense(self.h_size, use_bias=False)
        # forget gate
        self.fcXF = tf.keras.layers.Dense(self.h_size)
        self.fcHF = tf.keras.layers.Dense(self.h_size, use_bias=False)
        # создание нового кандидата CH
        self.fcXC = tf.keras.layers.Dense(self.h_size)
        self.fcHC = tf.keras.layers.Dense(self.h_size, use_bias=False)
        # output gate
        self.fcXO = tf.keras.layers.Dense(self.h_size)
        self.fcHO = tf.keras.layers.Dense(self.h_size, use_bias=False)

    def call(self, x, h, c):
        i = tf.nn.sigmoid(self.fcXI(x) + self.fcHI(h))
        f = tf.nn.sigmoid(self.fcXF(x) + self.fcHF(h))
        o = tf.nn.sigmoid(self.fcXO(x) + self.fcHO(h))
        ch = tf.nn.tanh(tf.nn.relu(self.fcXC(x)) + self.fcHC(h))
        c = f*c + i*ch
        h = o*tf.nn.tanh(c)
        return h, c

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def call(self, x):
        batch, length, emb_size = x.shape
        h = tf.zeros((batch, self.h_size))
        c = tf.zeros((batch, self.h_size))
        h_all = []
        for t in range(length):
            h, c = self.lstm_cell(x[:, t, :], h, c)
            h_all.append(h)
        return tf.transpose(tf.stack(h_all), [1, 0, 2])

lstm_my = LSTM(H_SIZE)
y_my = lstm_my(x)
print(y_my.shape)
# копируем веса
lstm_my.lstm_cell.fcXI.kernel.assign(lstm.weights[0][:, 0:32])
lstm_my.lstm_cell.fcHI.kernel.assign(lstm.weights[1][:, 0:32])
lstm_my.lstm_cell.fcXI.bias.assign(lstm.weights[2][0:32])
lstm_my.lstm_cell.fcXF.kernel.assign(lstm.weights[0][:, 32:64])
lstm_my.lstm_cell.fcHF.kernel.assign(lstm.weights[1][:, 32:64])
lstm_my.lstm_cell.fcXF.bias.assign(lstm.weights[2][32:64])
lstm_my.lstm_cell.fcXC.kernel.assign(lstm.weights[0][:, 64:96])
lstm_my.lstm_cell.fcHC.kernel.assign(lstm.weights[1][:, 64:96])
lstm_my.lstm_cell.fcXC.bias.assign(lstm.weights[2][64:96])
lstm_my.lstm_cell.fcXO.kernel.assign(lstm.weights[0][:, 96:128])
lstm_my.lstm_cell.fcHO.kernel.assign(lstm.weights[1][:, 96:128])
lstm_my.lstm_cell.fcXO.bias.assign(lstm.weights[2][96:128])
y = lstm(x)
y_my = lstm_my(x)
print(np.max(np.abs(np.array(y) - np.array(y_my))))
