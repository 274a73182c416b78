"""The cost of a grade without any of this: a plain script imports TensorFlow and compares every case once.

Started as ``script_grader.py SUBMISSION CASES``; CASES is a safetensors file with the arrays of the cases. Prints the
CPU seconds that the imports took.
"""

import os
import sys
import time

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="")

import numpy as np
import safetensors.numpy
import tensorflow as tf

tf.keras.layers.LSTM  # noqa: B018  # loaded on first use
print(time.process_time(), flush=True)


def main() -> None:
    names = {"np": np, "tf": tf}
    with open(sys.argv[1], encoding="utf-8") as file:
        exec(compile(file.read(), "submission.py", "exec"), names)
    arrays = safetensors.numpy.load_file(sys.argv[2])
    for case in sorted({name.rpartition("/")[0] for name in arrays}):
        x, kernel, recurrent_kernel, bias, expected = (
            arrays[f"{case}/{name}"] for name in ("x", "kernel", "recurrent_kernel", "bias", "expected")
        )
        units = recurrent_kernel.shape[0]
        model = names["LSTM"](units)
        model(x[:, :1])
        for n, gate in enumerate("IFCO"):
            part = slice(n * units, (n + 1) * units)
            getattr(model.lstm_cell, "fcX" + gate).set_weights([kernel[:, part], bias[part]])
            getattr(model.lstm_cell, "fcH" + gate).set_weights([recurrent_kernel[:, part]])
        assert np.allclose(np.asarray(model(x)), expected, atol=1e-5), case


main()
