import numpy as np
import tensorflow as tf

class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.u = units
    def build(self, shape):
        u = self.u
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], 4*u))
        self.rec = self.add_weight(name="rec", shape=(u, 4*u))
        self.ki, self.kf, self.kc, self.ko = [tf.Variable(p) for p in tf.split(tf.convert_to_tensor(self.kernel), 4, axis=1)]
        self.ri, self.rf, self.rc, self.ro = [tf.Variable(p) for p in tf.split(tf.convert_to_tensor(self.rec), 4, axis=1)]
        self.bi, self.bf, self.bc, self.bo = [tf.Variable(tf.zeros(u)) for _ in range(4)]
    def call(self, x):
        h = c = tf.zeros((x.shape[0], self.u)); out = []
        for t in range(x.shape[1]):
            xt = x[:, t]
            i = tf.sigmoid(xt @ self.ki + h @ self.ri + self.bi); f = tf.sigmoid(xt @ self.kf + h @ self.rf + self.bf)
            g = tf.tanh(xt @ self.kc + h @ self.rc + self.bc); o = tf.sigmoid(xt @ self.ko + h @ self.ro + self.bo)
            c = f*c + i*g; h = o*tf.tanh(c); out.append(h)
        return tf.stack(out, 1)
