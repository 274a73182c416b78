lstm = tf.keras.layers.LSTM(H_SIZE, return_sequences=True)
y = lstm(x)


class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n
        D = tf.keras.layers.Dense
        self.Wf, self.Wi, self.Wg, self.Wog, self.Wo = [D(n) for _ in range(5)]
        self.Uf, self.Ui, self.Ug, self.Uog, self.Uo = [D(n, use_bias=False) for _ in range(5)]

    def call(self, x):
        h = c = tf.zeros((x.shape[0], self.n))
        out = []
        for t in range(x.shape[1]):
            e = x[:, t]
            i, f = tf.sigmoid(self.Wi(e) + self.Ui(h)), tf.sigmoid(self.Wf(e) + self.Uf(h))
            o = tf.sigmoid(self.Wog(e) + self.Uog(h))
            c = f * c + i * tf.tanh(self.Wg(e) + self.Ug(h))
            h = o * tf.tanh(c)
            out.append(h)
        self.prediction = self.Wo(h) + self.Uo(h)
        return tf.stack(out, axis=1)


mine = LSTM(H_SIZE)
mine(x)
kernel, recurrent, bias = (np.split(w, 4, axis=-1) for w in lstm.get_weights())
for k, gate in enumerate(("i", "f", "g", "og")):
    getattr(mine, "W" + gate).set_weights([kernel[k], bias[k]])
    getattr(mine, "U" + gate).set_weights([recurrent[k]])
print(np.abs(y - mine(x)).max())
