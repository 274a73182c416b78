lstm = tf.keras.layers.LSTM(H_SIZE, return_sequences=True)
y = lstm(x)


class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n
        self.p = None

    def call(self, x):
        a = np.array(x)
        if self.p is None:
            shapes = {"U": (a.shape[2], 4, self.n), "W": (4, self.n, self.n), "b": (4, 1, self.n)}
            self.p = {name: np.random.normal(size=shape).astype("float32") for name, shape in shapes.items()}
        h = c = np.zeros((len(a), self.n), "float32")
        out = []
        for t in range(a.shape[1]):
            z = np.tensordot(a[:, t], self.p["U"], 1).transpose(1, 0, 2) + h @ self.p["W"] + self.p["b"]
            s = 1 / (1 + np.exp(-z))
            c = s[3] * c + s[2] * np.tanh(z[1])
            h = s[0] * np.tanh(c)
            out.append(h)
        return tf.convert_to_tensor(np.stack(out, 1))


mine = LSTM(H_SIZE)
mine(x)
kernel, recurrent, bias = (np.split(w, 4, axis=-1) for w in lstm.get_weights())
order = [3, 2, 0, 1]
mine.p["U"][...] = np.stack([kernel[k] for k in order], axis=1)
mine.p["W"][...] = np.stack([recurrent[k] for k in order])
mine.p["b"][...] = np.stack([bias[k] for k in order])[:, None]
print(np.abs(y - mine(x)).max())
