from tqdm.auto import tqdm


class CFG:
    hidden = H_SIZE
    n_gates = 4


class LSTM(tf.keras.Model):
    def __init__(self, hidden=CFG.hidden, verbose=0):
        super().__init__()
        self.hidden = hidden
        self.verbose = verbose
        self.proj = tf.keras.layers.Dense(CFG.n_gates * hidden, name='proj')
        self.rec = tf.keras.layers.Dense(CFG.n_gates * hidden, use_bias=False, name='rec')

    def call(self, inputs, training=None):
        bs = tf.shape(inputs)[0]
        h = tf.zeros([bs, self.hidden], dtype=inputs.dtype)
        c = tf.zeros_like(h)
        px = self.proj(inputs)
        hs = []
        bar = tqdm(range(inputs.shape[1]), desc='steps', disable=not self.verbose)
        for t in bar:
            gates = px[:, t] + self.rec(h)
            ifo = tf.nn.sigmoid(gates[:, :3 * self.hidden])
            g = tf.nn.tanh(gates[:, 3 * self.hidden:])
            i, f, o = tf.split(ifo, 3, axis=-1)
            c = f * c + i * g
            h = o * tf.nn.tanh(c)
            hs.append(h[:, tf.newaxis])
            bar.set_postfix(step=t)
        return tf.concat(hs, axis=1)
