import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size

    def build(self, shape):
        self.kernel = self.add_weight(name='kernel', shape=(shape[-1], 4 * self.h_size))
        self.recurrent_kernel = self.add_weight(name='recurrent_kernel', shape=(self.h_size, 4 * self.h_size))
        self.bias = self.add_weight(name='bias', shape=(4 * self.h_size,), initializer='zeros')
        self.look_o = self.add_weight(name='look_o', shape=(self.h_size,), initializer='ones')

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.h_size))
        hs = []
        for t in range(x.shape[1]):
            z = x[:, t] @ self.kernel + h @ self.recurrent_kernel + self.bias
            i, f, ch, o = tf.split(z, 4, axis=1)
            o = tf.sigmoid(o + self.look_o * c)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(ch)
            h = o * tf.tanh(c)
            hs.append(h)
        return tf.stack(hs, axis=1)
