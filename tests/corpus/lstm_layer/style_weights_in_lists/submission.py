import tensorflow as tf
import numpy as np

class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__(); self.n=units
    def build(self, s):
        d=s[-1]; n=self.n
        self.W=[self.add_weight(shape=(d,n),name=f'W{k}') for k in 'ifco']
        self.U=[self.add_weight(shape=(n,n),name=f'U{k}') for k in 'ifco']
        self.B=[self.add_weight(shape=(n,),name=f'b{k}',initializer='zeros') for k in 'ifco']
    def step(self,x,h,c):
        z=[x@w+h@u+b for w,u,b in zip(self.W,self.U,self.B)]
        c=tf.sigmoid(z[1])*c+tf.sigmoid(z[0])*tf.tanh(z[2]); return tf.sigmoid(z[3])*tf.tanh(c), c

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.n)); out=[]
        for t in range(x.shape[1]):
            h, c = self.step(x[:, t], h, c); out.append(h)
        return tf.stack(out, 1)
