class LSTM(tf.keras.Model):
    def __init__(self, h):
        super().__init__()
        self.h=h
        self.d=tf.keras.layers.Dense(4*h)
    def call(self, x):
        h=c=tf.zeros((x.shape[0],self.h)); r=[]
        for t in range(x.shape[1]):
            z=self.d(tf.concat([x[:,t],h],1)); n=self.h
            i=tf.sigmoid(z[:,:n]);f=tf.sigmoid(z[:,n:2*n]);o=tf.sigmoid(z[:,2*n:3*n]);g=tf.tanh(z[:,3*n:])
            c=f*c+i*g; h=o*tf.tanh(c); r.append(h)
        return tf.stack(r,axis=1)
