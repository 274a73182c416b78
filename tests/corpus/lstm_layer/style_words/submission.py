class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.u=units
        D=lambda b=True: tf.keras.layers.Dense(units,use_bias=b)
        self.input_gate_x,self.forget_gate_x,self.cell_gate_x,self.output_gate_x=D(),D(),D(),D()
        self.input_gate_h,self.forget_gate_h,self.cell_gate_h,self.output_gate_h=D(),D(),D(),D()
    def call(self, x):
        h=c=tf.zeros((tf.shape(x)[0],self.u)); out=[]
        for t in range(x.shape[1]):
            xt=x[:,t]
            i=tf.sigmoid(self.input_gate_x(xt)+self.input_gate_h(h)); f=tf.sigmoid(self.forget_gate_x(xt)+self.forget_gate_h(h))
            g=tf.tanh(self.cell_gate_x(xt)+self.cell_gate_h(h)); o=tf.sigmoid(self.output_gate_x(xt)+self.output_gate_h(h))
            c=f*c+i*g; h=o*tf.tanh(c); out.append(h)
        return tf.stack(out,axis=1)
