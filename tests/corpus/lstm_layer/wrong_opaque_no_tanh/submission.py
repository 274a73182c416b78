class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.u=units
        D=lambda b=True: tf.keras.layers.Dense(units,use_bias=b)
        self.a1,self.a2,self.a3,self.a4=D(),D(),D(),D()
        self.b1,self.b2,self.b3,self.b4=D(),D(),D(),D()
    def call(self, x):
        h=c=tf.zeros((tf.shape(x)[0],self.u)); out=[]
        for t in range(x.shape[1]):
            xt=x[:,t]
            i=tf.sigmoid(self.a1(xt)+self.b1(h)); f=tf.sigmoid(self.a2(xt)+self.b2(h))
            g=tf.tanh(self.a3(xt)+self.b3(h)); o=tf.sigmoid(self.a4(xt)+self.b4(h))
            c=f*c+i*g; h=o*c; out.append(h)
        return tf.stack(out,axis=1)
