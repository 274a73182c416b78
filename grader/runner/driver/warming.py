"""Prepares a process that will fork a child for every submission. Nothing here may run an operation of TensorFlow."""

import glob
import importlib
import os
import pkgutil
import sys
from collections.abc import Iterable, Iterator

import lockdown
import numpy as np
import tensorflow as tf
from box_requests import Kind
from tensorflow.python.framework import kernels, op_def_registry
from tensorflow.python.util import pywrap_xla_ops

from driver.built_in import no_kernels, no_recurrence
from driver.short_ways import plain_dense, untraced_build, variable_names
from driver.student import progress_bars

LAYERS = {"3": "keras.src.layers.rnn", "2": "tf_keras.src.layers.rnn"}
# Folders and files of packages that hold recurrent code, beside what `no_recurrence` finds.
HIDDEN = {
    "3": ("tf_keras", "keras/src/layers/rnn", "keras/src/backend/*/rnn.py"),
    "2": ("keras", "tf_keras/src/layers/rnn"),
}
HIDDEN_OF_TENSORFLOW = ("tensorflow/lite", "tensorflow/libtensorflow_cc.so*", "tensorflow/python/ops/rnn*.py")


def preload(kind: Kind, wall: lockdown.Wall) -> dict[str, str]:
    """Import everything that submissions use, and return its versions.

    Args:
        wall: is told what must stay unreadable and unchanged.
    Raises:
        lockdown.Refused: that code cannot be taken out.
    """
    _fill_tables()
    progress_bars.supply()
    generation = "2" if kind.is_keras2 else "3"
    keras = importlib.import_module("tf_keras" if generation == "2" else "keras")
    tf.keras.layers.LSTM  # noqa: B018  # tf.keras is loaded lazily, on first use
    plain_dense.install(generation)
    variable_names.install()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    # Keras' filtering wraps every call and rewrites exceptions; we pick the student's own frames ourselves.
    tf.debugging.disable_traceback_filtering()
    if generation == "3":
        untraced_build.install()
        # A submission that asks for Keras 2 by this name gets it: it is graded under Keras 2.
        sys.modules["tf_keras"] = None  # type: ignore[assignment]
        keras.config.disable_traceback_filtering()
    else:
        _alias_keras2()
    if kind.lends_recurrence:
        _load_all(LAYERS[generation])
        _hide(no_recurrence.lend(generation), generation, wall)
    else:
        _take_recurrence_out(generation, wall)
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "keras_generation": generation,
    }


def _alias_keras2() -> None:
    """Let Keras 2 be imported by the name of Keras too, which would not fit it."""
    for name, module in list(sys.modules.items()):
        if name == "tf_keras" or (name.startswith("tf_keras.") and not name.startswith("tf_keras.src")):
            sys.modules[name.removeprefix("tf_")] = module


def _take_recurrence_out(generation: str, wall: lockdown.Wall) -> None:
    library = os.path.join(os.path.dirname(tf.__file__), no_kernels.LIBRARY)
    try:
        _load_all(LAYERS[generation])  # modules not loaded now cannot be loaded later
        replaced = no_recurrence.remove(generation)
        wiped = no_kernels.wipe(library)
    except (OSError, AttributeError, ImportError, KeyError) as exc:  # another version of Keras or TensorFlow
        raise lockdown.Refused(
            f"recurrent code cannot be taken out of the process that runs submissions: {exc}"
        ) from exc
    _hide(replaced, generation, wall)
    stops = f"answers of built-in layers and cells: {len(replaced)} functions and {wiped.functions} kernels are gone"
    if wiped.sealed:
        sealing = "sealed by mseal"
    elif wall.keep(wiped.first, wiped.last):
        sealing = "kept by seccomp (Linux 6.10 and newer seal them)"
    else:
        sealing = "not sealed (Linux 6.10 and newer can, or seccomp)"
    wall.state["no recurrent code"] = (True, f"{stops}, {sealing}")


def _hide(replaced: Iterable[str], generation: str, wall: lockdown.Wall) -> None:
    """Make the files that recurrent code came from unreadable: these, and those that hold more of it."""
    packages = os.path.dirname(os.path.dirname(tf.__file__))
    patterns = [os.path.join(packages, name) for name in (*HIDDEN[generation], *HIDDEN_OF_TENSORFLOW)]
    wall.hide(_with_bytecode([*replaced, *(path for pattern in patterns for path in glob.glob(pattern))]))


def _load_all(package_name: str) -> None:
    package = importlib.import_module(package_name)
    for info in pkgutil.iter_modules(package.__path__):
        if not info.name.endswith("_test"):
            importlib.import_module(f"{package_name}.{info.name}")


def _with_bytecode(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        yield path
        if path.endswith(".py"):
            folder, name = os.path.split(path)
            yield from glob.glob(os.path.join(folder, "__pycache__", f"{name[:-3]}.*.pyc"))


def _fill_tables() -> None:
    """Make tables that every child would otherwise make on first use. No operation runs, and no thread starts."""
    np.random.default_rng()
    np.testing.assert_allclose  # noqa: B018  # loaded on first use, which every run makes
    pywrap_xla_ops.get_cpu_kernel_names()
    kernels.get_registered_kernels_for_op("MatMul")
    op_def_registry.get("MatMul")
    op_def_registry.get("NoSuchOperation")  # the first unknown name makes a list of all operations
