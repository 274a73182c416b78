class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.u=units
        D=lambda b=True: tf.keras.layers.Dense(units,use_bias=b)
        self.x_to_input,self.x_to_forget,self.x_to_candidate,self.x_to_output=D(),D(),D(),D()
        self.h_to_input,self.h_to_forget,self.h_to_candidate,self.h_to_output=D(),D(),D(),D()
    def call(self, x):
        h=c=tf.zeros((tf.shape(x)[0],self.u)); out=[]
        for t in range(x.shape[1]):
            xt=x[:,t]
            i=tf.sigmoid(self.x_to_input(xt)+self.h_to_input(h)); f=tf.sigmoid(self.x_to_forget(xt)+self.h_to_forget(h))
            g=tf.tanh(self.x_to_candidate(xt)+self.h_to_candidate(h)); o=tf.sigmoid(self.x_to_output(xt)+self.h_to_output(h))
            c=f*c+i*g; h=o*tf.tanh(c); out.append(h)
        return tf.stack(out,axis=1)
