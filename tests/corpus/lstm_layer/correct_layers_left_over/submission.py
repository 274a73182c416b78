import numpy as np
import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.u = units
        D = tf.keras.layers.Dense
        self.Wi = D(units); self.Wf = D(units); self.Wg = D(units); self.Wog = D(units)
        self.Ui = D(units, use_bias=False); self.Uf = D(units, use_bias=False); self.Ug = D(units, use_bias=False); self.Uog = D(units, use_bias=False)
        self.Wo = D(units); self.Uo = D(units)
    def call(self, x):
        u = self.u
        h = c = tf.zeros((tf.shape(x)[0], u))
        out = []
        for t in range(x.shape[1]):
            xt = x[:, t]

            i = tf.sigmoid(self.Wi(xt) + self.Ui(h)); f = tf.sigmoid(self.Wf(xt) + self.Uf(h))
            g = tf.tanh(self.Wg(xt) + self.Ug(h)); o = tf.sigmoid(self.Wog(xt) + self.Uog(h))
            c = f*c + i*g; h = o*tf.tanh(c)
            out.append(h)
        _ = self.Wo(xt); _ = self.Uo(h)
        return tf.stack(out, axis=1)
