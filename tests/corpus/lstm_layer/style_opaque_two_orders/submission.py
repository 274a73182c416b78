import tensorflow as tf
import numpy as np

class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__(); self.n=units
        D=lambda b=True: tf.keras.layers.Dense(units,use_bias=b)
        self.d1,self.d2,self.d3,self.d4=D(),D(),D(),D()
        self.e1,self.e2,self.e3,self.e4=D(0),D(0),D(0),D(0)
    def step(self,x,h,c):
        i=tf.sigmoid(self.d1(x)+self.e4(h)); f=tf.sigmoid(self.d2(x)+self.e3(h)); g=tf.tanh(self.d3(x)+self.e1(h)); o=tf.sigmoid(self.d4(x)+self.e2(h))
        c=f*c+i*g; return o*tf.tanh(c),c

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.n)); out=[]
        for t in range(x.shape[1]):
            h, c = self.step(x[:, t], h, c); out.append(h)
        return tf.stack(out, 1)
