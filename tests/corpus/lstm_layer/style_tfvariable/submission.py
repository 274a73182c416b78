class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units=units
    def build(self, shape):
        n=shape[-1]; u=self.units
        for g in 'ifco':
            setattr(self,'W'+g,tf.Variable(tf.random.normal((n,u)))); setattr(self,'U'+g,tf.Variable(tf.random.normal((u,u)))); setattr(self,'b'+g,tf.Variable(tf.zeros((u,))))
    def call(self, x):
        h=c=tf.zeros((tf.shape(x)[0],self.units)); res=[]
        for t in range(x.shape[1]):
            z={g: x[:,t]@getattr(self,'W'+g)+h@getattr(self,'U'+g)+getattr(self,'b'+g) for g in 'ifco'}
            c=tf.sigmoid(z['f'])*c+tf.sigmoid(z['i'])*tf.tanh(z['c']); h=tf.sigmoid(z['o'])*tf.tanh(c); res.append(h)
        return tf.stack(res,axis=1)
