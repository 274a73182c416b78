class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 4 * self.units), name='kernel')
        self.recurrent_kernel = self.add_weight(shape=(self.units, 4 * self.units), name='recurrent_kernel')
        self.bias = self.add_weight(shape=(4 * self.units,), initializer='zeros', name='bias')
        self.scale = self.add_weight(shape=(self.units,), initializer='random_normal', name='scale')
        super().build(input_shape)

    def call(self, x):
        u = self.units
        h = tf.zeros((x.shape[0], u))
        c = tf.zeros((x.shape[0], u))
        seq = []
        for t in range(x.shape[1]):
            z = tf.matmul(x[:, t], self.kernel) + tf.matmul(h, self.recurrent_kernel) + self.bias
            i = tf.sigmoid(z[:, :u])
            f = tf.sigmoid(z[:, u:2 * u])
            g = tf.tanh(z[:, 2 * u:3 * u])
            o = tf.sigmoid(z[:, 3 * u:])
            c = f * c + i * g
            h = self.scale * o * tf.tanh(c)
            seq.append(h)
        return tf.stack(seq, axis=1)
