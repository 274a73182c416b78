import tensorflow as tf


class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.cell = [[tf.keras.layers.Dense(units), tf.keras.layers.Dense(units, use_bias=False)] for _ in range(4)]

    def step(self, xt, state):
        h, c = state
        z = [a(xt) + b(h) for a, b in self.cell]
        c = tf.sigmoid(z[1]) * c + tf.sigmoid(z[0]) * tf.tanh(z[2])
        h = tf.sigmoid(z[3]) * tf.tanh(c)
        return [h, c]

    def call(self, x):
        state = [tf.zeros((x.shape[0], self.units)), tf.zeros((x.shape[0], self.units))]
        outputs = []
        for t in range(x.shape[1]):
            state = self.step(x[:, t], state)
            outputs.append(state[0])
        stacked = tf.stack(outputs)
        answer = tf.transpose(stacked, [1, 2, 0])
        return answer
