class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.u=units
        D=lambda: tf.keras.layers.Dense(units, bias_initializer="ones")
        self.W_ii,self.W_if,self.W_ig,self.W_io=D(),D(),D(),D()
        self.W_hi,self.W_hf,self.W_hg,self.W_ho=D(),D(),D(),D()
    def call(self, x):
        h=c=tf.zeros((tf.shape(x)[0],self.u)); out=[]
        for t in range(x.shape[1]):
            xt=x[:,t]
            i=tf.sigmoid(self.W_ii(xt)+self.W_hi(h)); f=tf.sigmoid(self.W_if(xt)+self.W_hf(h))
            g=tf.tanh(self.W_ig(xt)+self.W_hg(h)); o=tf.sigmoid(self.W_io(xt)+self.W_ho(h))
            c=f*c+i*g; h=o*tf.tanh(c); out.append(h)
        return tf.stack(out,axis=1)
