import numpy as np
import tensorflow as tf

BATCH_SIZE = 2
SEQ_LEN = 100
EMB_SIZE = 16
H_SIZE = 32

x = np.random.rand(BATCH_SIZE, SEQ_LEN, EMB_SIZE).astype(np.float32)

lstm = tf.keras.layers.LSTM(H_SIZE, return_sequences=True, recurrent_activation='sigmoid')
y = lstm(x)

plogis = lambda eta: 1 / (1 + tf.exp(-eta))

class LSTM(tf.keras.Model):
    """Four regressions on the design matrix (1, x_t, h_{t-1})."""
    def __init__(self, p):
        super().__init__()
        self.p = p

    def build(self, input_shape):
        n_predictors = 1 + input_shape[-1] + self.p
        self.beta = {
            'candidate': self.add_weight(name='b1', shape=(n_predictors, self.p)),
            'keep': self.add_weight(name='b2', shape=(n_predictors, self.p)),
            'show': self.add_weight(name='b3', shape=(n_predictors, self.p)),
            'write': self.add_weight(name='b4', shape=(n_predictors, self.p)),
        }

    def call(self, x):
        n, T, _ = x.shape
        h = tf.zeros([n, self.p])
        C = tf.zeros([n, self.p])
        res = []
        for t in range(T):
            X = tf.concat([tf.ones([n, 1]), x[:, t, :], h], axis=1)
            eta = {k: X @ b for k, b in self.beta.items()}
            C = plogis(eta['keep']) * C + plogis(eta['write']) * tf.tanh(eta['candidate'])
            h = plogis(eta['show']) * tf.tanh(C)
            res.append(h)
        return tf.stack(res, axis=1)

lstm_my = LSTM(H_SIZE)
y_my = lstm_my(x)

kernel, recurrent_kernel, bias = [np.array(w) for w in lstm.get_weights()]
Ki, Kf, Kc, Ko = np.split(kernel, 4, axis=1)
Ri, Rf, Rc, Ro = np.split(recurrent_kernel, 4, axis=1)
bi, bf, bc, bo = np.split(bias, 4)
for n, k, r, s in (('candidate', Kc, Rc, bc), ('keep', Kf, Rf, bf), ('show', Ko, Ro, bo), ('write', Ki, Ri, bi)):
    lstm_my.beta[n].assign(np.vstack([s[None], k, r]))

y_my = lstm_my(x)
print(np.max(np.abs(y - y_my)))
