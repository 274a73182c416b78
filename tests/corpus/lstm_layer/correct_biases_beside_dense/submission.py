import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.input_W = tf.keras.layers.Dense(units, use_bias=False)
        self.input_U = tf.keras.layers.Dense(units, use_bias=False)
        self.forget_W = tf.keras.layers.Dense(units, use_bias=False)
        self.forget_U = tf.keras.layers.Dense(units, use_bias=False)
        self.memory_W = tf.keras.layers.Dense(units, use_bias=False)
        self.memory_U = tf.keras.layers.Dense(units, use_bias=False)
        self.output_W = tf.keras.layers.Dense(units, use_bias=False)
        self.output_U = tf.keras.layers.Dense(units, use_bias=False)
        self.input_b = tf.Variable(tf.zeros(units), name="input_b")
        self.forget_b = tf.Variable(tf.zeros(units), name="forget_b")
        self.memory_b = tf.Variable(tf.zeros(units), name="memory_b")
        self.output_b = tf.Variable(tf.zeros(units), name="output_b")

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.units))
        outputs = []
        for t in range(x.shape[1]):
            i = self.input_W(x[:, t]) + self.input_U(h) + self.input_b
            f = self.forget_W(x[:, t]) + self.forget_U(h) + self.forget_b
            g = self.memory_W(x[:, t]) + self.memory_U(h) + self.memory_b
            o = self.output_W(x[:, t]) + self.output_U(h) + self.output_b
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
