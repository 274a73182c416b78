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

class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
    def build(self, shape):
        d, u = shape[-1], self.units
        self.W = self.add_weight(shape=(d, 4*u), initializer='glorot_uniform', name='W')
        self.U = self.add_weight(shape=(u, 4*u), initializer='orthogonal', name='U')
    def call(self, x):
        u = self.units
        h = tf.zeros((tf.shape(x)[0], u)); c = tf.zeros((tf.shape(x)[0], u))
        out = []
        for t in range(x.shape[1]):
            z = x[:, t] @ self.W + h @ self.U
            i, f, g, o = tf.split(z, 4, axis=1)
            i, f, o = tf.sigmoid(i), tf.sigmoid(f), tf.sigmoid(o)
            c = f*c + i*tf.tanh(g)
            h = o*tf.tanh(c)
            out.append(h)
        return tf.stack(out, axis=1)

lstm_my = LSTM(H_SIZE)
y_my = lstm_my(x)
print(y_my.shape)
y = lstm(x)
y_my = lstm_my(x)
print(np.max(np.abs(np.array(y) - np.array(y_my))))
