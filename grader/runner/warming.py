"""Prepares a process that will fork a child for every submission. Nothing here may run an operation of TensorFlow."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys

import numpy as np
import plain_dense
import tensorflow as tf
import tripwires
import untraced_build
from tensorflow.python.framework import kernels, op_def_registry
from tensorflow.python.util import pywrap_xla_ops


def poison() -> None:
    """Make built-in recurrent code return NaN; `preload` puts the function that does in its place."""
    raise RuntimeError("no tripwire is armed")


def preload() -> dict[str, str]:
    """Import everything that submissions use, and say what that is."""
    _fill_tables()
    generation = "2" if os.environ.get("TF_USE_LEGACY_KERAS") else "3"
    keras = importlib.import_module("tf_keras" if generation == "2" else "keras")
    tf.keras.layers.LSTM  # noqa: B018  # tf.keras is loaded lazily, on first use
    global poison
    poison = tripwires.arm(generation)
    plain_dense.install(generation)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    # Keras' filtering wraps every call and rewrites exceptions; we pick the student's own frames ourselves.
    tf.debugging.disable_traceback_filtering()
    if generation == "3":
        untraced_build.install()
        # Its recurrent code has no wires here. Who asks for Keras 2 by this name gets it: graded under Keras 2.
        sys.modules["tf_keras"] = None  # type: ignore[assignment]
        keras.config.disable_traceback_filtering()
    return {
        "tensorflow": importlib.metadata.version("tensorflow-cpu" if _is_cpu_build() else "tensorflow"),
        "keras": keras.__version__,
        "keras_generation": generation,
    }


def _fill_tables() -> None:
    """Make what every child would make again on first use. No operation runs, and no thread starts."""
    np.random.default_rng()
    pywrap_xla_ops.get_cpu_kernel_names()
    kernels.get_registered_kernels_for_op("MatMul")
    op_def_registry.get("MatMul")
    op_def_registry.get("NoSuchOperation")  # the first unknown name makes a list of all operations


def _is_cpu_build() -> bool:
    try:
        importlib.metadata.version("tensorflow-cpu")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
