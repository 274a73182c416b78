class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.u=units
        self.forget=tf.keras.layers.Dense(units,activation='sigmoid'); self.inp=tf.keras.layers.Dense(units,activation='sigmoid')
        self.cand=tf.keras.layers.Dense(units,activation='tanh'); self.out=tf.keras.layers.Dense(units,activation='sigmoid')
    def call(self, x):
        h=c=tf.zeros((tf.shape(x)[0],self.u)); res=[]
        for t in range(x.shape[1]):
            z=tf.concat([h,x[:,t]],axis=-1)
            c=self.forget(z)*c+self.inp(z)*self.cand(z); h=self.out(z)*tf.tanh(c); res.append(h)
        return tf.stack(res,axis=1)
