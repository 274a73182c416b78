import numpy as np
import tensorflow as tf

def sigmoid(v):
    return 1 / (1 + np.exp(-v))

class LSTM(tf.keras.Model):
    def __init__(self, hidden):
        super().__init__()
        self.hidden = hidden
        self.W = None

    def call(self, x):
        x = np.array(x)
        B, T, D = x.shape
        H = self.hidden
        if self.W is None:
            self.W = tf.Variable(np.random.randn(D + H + 1, 4 * H).astype("float32") * 0.1)
        W = self.W.numpy()
        h = np.zeros((B, H), "float32")
        c = np.zeros((B, H), "float32")
        out = np.zeros((B, T, H), "float32")
        for t in range(T):
            row = np.concatenate([np.ones((B, 1), "float32"), x[:, t], h], axis=1)
            a = row @ W
            i = sigmoid(a[:, :H])
            f = sigmoid(a[:, H:2 * H])
            o = sigmoid(a[:, 2 * H:3 * H])
            g = np.tanh(a[:, 3 * H:])
            c = f * c + g
            h = o * np.tanh(c)
            out[:, t] = h
        return tf.constant(out)
