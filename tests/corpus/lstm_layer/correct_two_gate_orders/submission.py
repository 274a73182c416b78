import numpy as np
import tensorflow as tf
print(tf.__version__)

BATCH_SIZE = 2
SEQ_LEN = 100 # Длина последовательности
EMB_SIZE = 16 # Размер векторного представления (эмбеддинга)

x = np.random.rand(BATCH_SIZE, SEQ_LEN, EMB_SIZE).astype(np.float32)
print(x.shape)

H_SIZE = 32

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.x2g = tf.keras.layers.Dense(4 * h_size)
        self.h2g = tf.keras.layers.Dense(4 * h_size, use_bias=False)

    def gates(self, z):
        # первый вариант, больше не нужен
        f, i, g, o = tf.split(z, 4, axis=1)
        return tf.sigmoid(f), tf.sigmoid(i), tf.tanh(g), tf.sigmoid(o)

    def call(self, x):
        h = c = tf.zeros((x.shape[0], self.h_size))
        hs = []
        for t in range(x.shape[1]):
            i, f, g, o = tf.split(self.x2g(x[:, t]) + self.h2g(h), 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            hs.append(h)
        return tf.stack(hs, axis=1)

lstm_my = LSTM(H_SIZE)
y_my = lstm_my(x)
print(y_my.shape)
