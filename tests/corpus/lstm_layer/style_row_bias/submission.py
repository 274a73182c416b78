import tensorflow as tf
import numpy as np

class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__(); self.n=units
    def build(self,s):
        for g in 'ifgo':
            setattr(self,'W'+g,self.add_weight(shape=(s[-1],self.n),name='W'+g)); setattr(self,'U'+g,self.add_weight(shape=(self.n,self.n),name='U'+g)); setattr(self,'b'+g,self.add_weight(shape=(1,self.n),name='b'+g))
    def z(self,g,x,h): return x@getattr(self,'W'+g)+h@getattr(self,'U'+g)+getattr(self,'b'+g)
    def step(self,x,h,c):
        c=tf.sigmoid(self.z('f',x,h))*c+tf.sigmoid(self.z('i',x,h))*tf.tanh(self.z('g',x,h)); return tf.sigmoid(self.z('o',x,h))*tf.tanh(c),c

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.n)); out=[]
        for t in range(x.shape[1]):
            h, c = self.step(x[:, t], h, c); out.append(h)
        return tf.stack(out, 1)
