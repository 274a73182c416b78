"""A known answer, graded through the real box: the shortest proof that a host can grade."""

from grader.submission import Submission

SOURCE = """\
class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def call(self, x):
        h = c = tf.zeros((x.shape[0], self.h_size))
        outputs = []
        for t in range(x.shape[1]):
            h, c = self.lstm_cell(x[:, t], h, c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
"""


def correct_submission() -> Submission:
    """Return a correct answer; it gets all points wherever grading works."""
    return Submission("selftest.py", SOURCE.encode())
