import numpy as np
import tensorflow as tf
BATCH_SIZE = 2
SEQ_LEN = 100
EMB_SIZE = 16
H_SIZE = 32
x = np.random.rand(BATCH_SIZE, SEQ_LEN, EMB_SIZE).astype(np.float32)
lstm = tf.keras.layers.LSTM(H_SIZE, return_sequences=True, kernel_initializer=tf.keras.initializers.GlorotUniform(seed=1), recurrent_initializer=tf.keras.initializers.Orthogonal(seed=1), use_bias=False, recurrent_activation='sigmoid')
y = lstm(x)

class LSTM(tf.keras.Model):
    def __init__(self, h, ki="glorot_uniform", ri="orthogonal"):
        super().__init__()
        self.h = h
        self.X = tf.keras.layers.Dense(4 * h, kernel_initializer=ki)
        self.H = tf.keras.layers.Dense(4 * h, kernel_initializer=ri, use_bias=False)
    def call(self, x):
        h = c = tf.zeros((x.shape[0], self.h))
        out = []
        for t in range(x.shape[1]):
            i, f, g, o = tf.split(self.X(x[:, t]) + self.H(h), 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            out.append(h)
        return tf.stack(out, 1)

my = LSTM(H_SIZE, tf.keras.initializers.GlorotUniform(seed=1), tf.keras.initializers.Orthogonal(seed=1))

y = lstm(x)
z = my(x)
print(np.max(np.abs(y - z)))
