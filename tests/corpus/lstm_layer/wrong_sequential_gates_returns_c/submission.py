import numpy as np
import tensorflow as tf

BATCH_SIZE = 2
SEQ_LEN = 100 # Длина последовательности
EMB_SIZE = 16 # Размер векторного представления (эмбеддинга)
H_SIZE = 32

x = np.random.rand(BATCH_SIZE, SEQ_LEN, EMB_SIZE).astype(np.float32)

lstm = tf.keras.layers.LSTM(H_SIZE, return_sequences=True, recurrent_activation='sigmoid')
y = lstm(x)

class LSTMCell(tf.keras.layers.Layer):
    def __init__(self, n):
        super().__init__()
        D = tf.keras.layers.Dense
        self.i = tf.keras.Sequential([D(n), tf.keras.layers.Activation('sigmoid')])
        self.f = tf.keras.Sequential([D(n), tf.keras.layers.Activation('sigmoid')])
        self.g = tf.keras.Sequential([D(n), tf.keras.layers.Activation('tanh')])
        self.o = tf.keras.Sequential([D(n), tf.keras.layers.Activation('sigmoid')])
    def call(self, x, h, c):
        xh = tf.concat([x, h], -1)
        c = self.f(xh) * c + self.i(xh) * self.g(xh)
        return self.o(xh) * tf.tanh(c), c

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)


    def call(self, x):
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        outputs = []
        for t in range(x.shape[1]):
            h, c = self.lstm_cell(x[:, t], h, c)
            outputs.append(c)
        return tf.stack(outputs, axis=1)

