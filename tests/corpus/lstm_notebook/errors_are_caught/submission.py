import numpy as np
import tensorflow as tf

try:
    import seaborn as sns
except ImportError:
    sns = None

BATCH_SIZE, SEQ_LEN, EMB_SIZE, H_SIZE = 2, 100, 16, 32


class LSTMCell(tf.keras.layers.Layer):
    def __init__(self, h_size):
        super().__init__()
        self.fcXI = tf.keras.layers.Dense(h_size)
        self.fcXF = tf.keras.layers.Dense(h_size)
        self.fcXC = tf.keras.layers.Dense(h_size)
        self.fcXO = tf.keras.layers.Dense(h_size)
        self.fcHI = tf.keras.layers.Dense(h_size, use_bias=False)
        self.fcHF = tf.keras.layers.Dense(h_size, use_bias=False)
        self.fcHC = tf.keras.layers.Dense(h_size, use_bias=False)
        self.fcHO = tf.keras.layers.Dense(h_size, use_bias=False)

    def call(self, x, h, c):
        i = tf.sigmoid(self.fcXI(x) + self.fcHI(h))
        f = tf.sigmoid(self.fcXF(x) + self.fcHF(h))
        o = tf.sigmoid(self.fcXO(x) + self.fcHO(h))
        c = f * c + i * tf.tanh(self.fcXC(x) + self.fcHC(h))
        return o * tf.tanh(c), c


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.h_size))
        steps = []
        try:
            for t in range(x.shape[1]):
                h, c = self.lstm_cell(x[:, t, :], h, c)
                steps.append(h)
        except tf.errors.InvalidArgumentError as error:
            print("step failed:", error)
            raise
        return tf.stack(steps, axis=1)


x = np.random.rand(BATCH_SIZE, SEQ_LEN, EMB_SIZE).astype(np.float32)
lstm = tf.keras.layers.LSTM(H_SIZE, return_sequences=True, recurrent_activation="sigmoid")
my_lstm = LSTM(H_SIZE)

try:
    W, U, b = lstm.get_weights()
except ValueError as error:
    print("not built yet:", error)
    y, y_my = lstm(x), my_lstm(x)

try:
    W, U, b = lstm.get_weights()
    for k, gate in enumerate("IFCO"):
        part = slice(k * H_SIZE, (k + 1) * H_SIZE)
        getattr(my_lstm.lstm_cell, "fcX" + gate).set_weights([W[:, part], b[part]])
        getattr(my_lstm.lstm_cell, "fcH" + gate).set_weights([U[:, part]])
except ValueError as error:
    print("the weights do not fit:", error)
else:
    print("copied")
finally:
    y_my = my_lstm(x)

try:
    np.testing.assert_allclose(y, y_my, atol=1e-5)
    print("equal")
except AssertionError as error:
    print("different", error)
