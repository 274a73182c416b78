import tensorflow as tf
import numpy as np
class LSTMCell(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        for g in "IFCO":
            setattr(self, "fcX" + g, tf.keras.layers.Dense(h_size))
            setattr(self, "fcH" + g, tf.keras.layers.Dense(h_size, use_bias=False))
    def call(self, x, h, c):
        i=tf.sigmoid(self.fcXI(x)+self.fcHI(h)); f=tf.sigmoid(self.fcXF(x)+self.fcHF(h))
        g=tf.tanh(self.fcXC(x)+self.fcHC(h)); o=tf.sigmoid(self.fcXO(x)+self.fcHO(h))
        c=f*tf.stop_gradient(c)+i*g
        return o*tf.tanh(c), c
class LSTM(tf.keras.Model):
    def __init__(self,h_size):
        super().__init__()
        self.h_size = h_size
        self.cell = LSTMCell(h_size)
    def call(self,x):
        h=c=tf.zeros((x.shape[0],self.h_size)); out=[]
        for t in range(x.shape[1]):
            h,c=self.cell(x[:,t],h,c); out.append(h)
        return tf.stack(out,1)
