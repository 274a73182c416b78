import tensorflow as tf
from tensorflow.keras.layers import Dense


def my_tanh(a):
    e1, e2 = tf.exp(a), tf.exp(-a)
    return (e1 - e2) / 2


class LSTM(tf.keras.Model):
    def __init__(self, hidden):
        super().__init__()
        self.hidden = hidden
        self.Wi = Dense(hidden)
        self.Ui = Dense(hidden, use_bias=False)
        self.Wf = Dense(hidden)
        self.Uf = Dense(hidden, use_bias=False)
        self.Wg = Dense(hidden)
        self.Ug = Dense(hidden, use_bias=False)
        self.Wo = Dense(hidden)
        self.Uo = Dense(hidden, use_bias=False)

    def call(self, seq):
        h = tf.zeros([seq.shape[0], self.hidden])
        c = tf.zeros_like(h)
        outputs = []
        for t in range(seq.shape[1]):
            x = seq[:, t]
            i_t = tf.sigmoid(self.Wi(x) + self.Ui(h))
            f_t = tf.sigmoid(self.Wf(x) + self.Uf(h))
            g_t = my_tanh(self.Wg(x) + self.Ug(h))
            o_t = tf.sigmoid(self.Wo(x) + self.Uo(h))
            c = f_t * c + i_t * g_t
            h = o_t * tf.tanh(c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
