import tensorflow as tf
import numpy as np

class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__(); self.n=units
    def build(self,s):
        self.W=self.add_weight(shape=(4,s[-1],self.n),name='W'); self.U=self.add_weight(shape=(4,self.n,self.n),name='U'); self.b=self.add_weight(shape=(4,self.n),name='b')
    def step(self,x,h,c):
        z=tf.einsum('bd,gdn->gbn',x,self.W)+tf.einsum('bd,gdn->gbn',h,self.U)+self.b[:,None,:]
        i,f,g,o=tf.unstack(z); c=tf.sigmoid(f)*c+tf.sigmoid(i)*tf.tanh(g); return tf.sigmoid(o)*tf.tanh(c),c

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.n)); out=[]
        for t in range(x.shape[1]):
            h, c = self.step(x[:, t], h, c); out.append(h)
        return tf.stack(out, 1)
