class LSTMCell(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        for g in 'IFCO':
            setattr(self,'fcX'+g,tf.keras.layers.Dense(h_size)); setattr(self,'fcH'+g,tf.keras.layers.Dense(h_size,use_bias=False))
    def call(self, x, h, c):
        i=tf.sigmoid(self.fcXI(x)+self.fcHI(h)); f=tf.sigmoid(self.fcXF(x)+self.fcHF(h)); o=tf.sigmoid(self.fcXO(x)+self.fcHO(h))
        ch=tf.tanh(self.fcXC(x)+self.fcHC(h)); c=f*c+i*ch
        return o*tf.tanh(c), c

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size=h_size
        self.cell=LSTMCell(h_size)
    @tf.function
    def call(self, x):
        n=tf.shape(x)[1]
        ta=tf.TensorArray(tf.float32,size=n)
        h=tf.zeros((tf.shape(x)[0],self.h_size)); c=tf.zeros((tf.shape(x)[0],self.h_size))
        for t in tf.range(n):
            h,c=self.cell(x[:,t],h,c)
            ta=ta.write(t,h)
        return tf.transpose(ta.stack(),[1,0,2])
