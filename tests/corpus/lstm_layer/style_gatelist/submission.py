class LSTM(tf.keras.Model):
    def __init__(self, h):
        super().__init__()
        self.h=h
        self.wx=[tf.keras.layers.Dense(h) for _ in range(4)]
        self.wh=[tf.keras.layers.Dense(h,use_bias=False) for _ in range(4)]
    def call(self, x):
        h=c=tf.zeros((x.shape[0],self.h)); r=[]
        for t in range(x.shape[1]):
            f,i,o,g=[a(x[:,t])+b(h) for a,b in zip(self.wx,self.wh)]
            c=tf.sigmoid(f)*c+tf.sigmoid(i)*tf.tanh(g); h=tf.sigmoid(o)*tf.tanh(c); r.append(h)
        return tf.stack(r,axis=1)
