"""The reference with the real Keras, in the process that `ReferenceStore` starts for it."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from grader.assignment import load_assignments
from grader.execution.questions import Examiner
from reference import CaseSpec, ReferenceStore, ReferenceUnavailable
from reference.cases import specs_to_json
from reference.cell import Cell, Layers
from reference.lstm.definition import CELL
from reference.lstm.misconceptions import mutation_score
from reference.store import answer_with_keras, check_against_oracle

SPECS = (
    CaseSpec("public", "public", "assignment", batch=2, timesteps=100, features=16, units=32, seed=7),
    CaseSpec("shape", "hidden", "other_shape", batch=3, timesteps=7, features=5, units=4, seed=11),
    CaseSpec("large", "hidden", "larger_values", batch=4, timesteps=9, features=6, units=8, seed=13, scale=3),
)


def assert_python_runs(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=True, timeout=300
    )


@pytest.mark.parametrize("name", ["lstm-layer", pytest.param("lstm-notebook", marks=pytest.mark.thorough)])
def test_the_cases_of_an_assignment_tell_all_known_mistakes_apart(references, name):
    assignment = load_assignments()[name]
    specs = [case.spec() for case in assignment.cases]
    score = mutation_score(references.load(specs, digest=assignment.digest))
    assert score.near == (), str(score)
    assert score.distinct == score.entries, str(score)
    assert not any("the right answer" in names for names in score.equal)


#: Cells of Keras, by the name of the layer: the exercise's, and two for which a definition alone is enough.
CELLS = {
    "LSTM": CELL,
    "SimpleRNN": Cell.of("h_new = tanh(x_h + h_h)"),
    "GRU": Cell.of("""
z = sigmoid(x_z + h_z)
r = sigmoid(x_r + h_r)
g = tanh(x_g + r*h_g)
h_new = z*h + (1 - z)*g
"""),
}
LAYER = """if True:
    import sys
    import safetensors.numpy
    import tensorflow as tf
    arrays = safetensors.numpy.load_file(sys.argv[2])
    x, factors = tf.constant(arrays["x"]), arrays["factors"]
    layer = getattr(tf.keras.layers, sys.argv[1])(
        factors.shape[-1], return_sequences=True, bias_initializer=tf.keras.initializers.RandomNormal(seed=3)
    )
    layer.build(x.shape)
    with tf.GradientTape() as tape:
        tape.watch(x)
        answer = layer(x)
        loss = tf.reduce_sum(answer * factors)
    weights = [getattr(weight, "value", weight) for weight in layer.weights]
    found = {"answer": answer, **dict(zip(("kernel", "recurrent_kernel", "bias"), weights))}
    found |= {f"d {name}": value for name, value in zip(("x", *list(found)[1:]), tape.gradient(loss, [x, *weights]))}
    safetensors.numpy.save_file({name: value.numpy() for name, value in found.items()}, sys.argv[3])
"""


@pytest.mark.thorough
@pytest.mark.parametrize("name", CELLS)
def test_definition_of_a_cell_answers_and_differentiates_like_keras(tmp_path, name):
    cell, random = CELLS[name], np.random.default_rng(2)
    x, factors = (random.standard_normal((2, 6, size)).astype(np.float32) for size in (3, 5))
    safetensors.numpy.save_file({"x": x, "factors": factors}, tmp_path / "asked")
    assert_python_runs(LAYER, name, tmp_path / "asked", tmp_path / "found")
    keras = {each: value.astype(np.float64) for each, value in safetensors.numpy.load_file(tmp_path / "found").items()}
    biases = keras["bias"].reshape(-1, keras["kernel"].shape[1])
    layers = Layers(keras["kernel"], keras["recurrent_kernel"], *biases)
    assert np.abs(cell.forward(x.astype(np.float64), layers)["h_new"] - keras["answer"]).max() <= 1e-6
    ours = cell.gradients(x.astype(np.float64), layers, factors.astype(np.float64))
    expected = {"x": ours.x, "kernel": ours.kernel, "recurrent_kernel": ours.recurrent_kernel}
    expected["bias"] = np.stack([ours.bias, ours.recurrent_bias])[: len(biases)].reshape(keras["bias"].shape)
    for of, gradient in expected.items():
        assert np.abs(gradient - keras[f"d {of}"]).max() <= 1e-5 * np.abs(gradient).max(), of


def test_keras_answers_all_that_is_asked_like_the_oracle(references, questions_seed):
    assignment = load_assignments()["lstm-layer"]
    published = references.load([case.spec() for case in assignment.cases], digest=assignment.digest)
    questions = Examiner(published, questions_seed, "3", long_gradients=False).everything()
    answered = answer_with_keras(questions.all_cases)
    assert sum(case.is_drawn for case in answered) > len(answered) / 2
    assert {case.spec.category for case in answered} >= {"probe", "edge-values", "edge-zeros", "edge-step"}
    for case in answered:
        check_against_oracle(case)


def test_two_processes_that_ask_at_once_share_one_build_in_whatever_surroundings(tmp_path):
    """Neither files of the current folder nor settings of the caller reach Keras, which answers as the oracle does."""
    code = """if True:
        import hashlib, logging, os, pathlib, sys
        from reference import ReferenceStore
        from reference.cases import specs_from_json
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        os.chdir(sys.argv[1])
        os.environ |= dict.fromkeys(("HOME", "PYTHONPATH"), os.getcwd())
        os.environ |= {"KERAS_BACKEND": "torch", "TF_USE_LEGACY_KERAS": "1"}
        cases = ReferenceStore(pathlib.Path("cache")).load(specs_from_json(sys.argv[2]), digest="abc")
        print([hashlib.sha256(case.expected.tobytes()).hexdigest() for case in cases])
    """
    for module in ("tensorflow", "numpy", "reference"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('a file of the current folder was imported')")
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text('{"floatx": "float64", "backend": "torch"}')
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: assert_python_runs(code, tmp_path, specs_to_json(SPECS)), range(2))
    assert first.stdout == second.stdout
    assert (first.stderr + second.stderr).count("reference_built") == 1


@pytest.mark.thorough
def test_failed_build_says_what_python_said(tmp_path):
    endless = CaseSpec("endless", "public", "shape", batch=2, timesteps=10**15, features=4, units=3, seed=7)
    with pytest.raises(ReferenceUnavailable, match=r"(?s)exit status 1.*MemoryError: Unable to allocate"):
        ReferenceStore(tmp_path).load([endless], digest="abc")


def test_build_that_takes_too_long_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("reference.store.BUILD_TIMEOUT_SECONDS", 0.1)
    with pytest.raises(ReferenceUnavailable, match="timed out"):
        ReferenceStore(tmp_path).load(SPECS, digest="abc")


def test_importing_the_package_leaves_tensorflow_out():
    assert_python_runs("""if True:
        import pkgutil, sys
        import reference
        for module in pkgutil.iter_modules(reference.__path__, "reference."):
            if module.name != "reference.lstm.keras_layer":
                __import__(module.name)
        assert "reference.store" in sys.modules
        assert not {"tensorflow", "keras"} & sys.modules.keys()
    """)


@pytest.mark.thorough
def test_keras_process_turns_tf32_off():
    assert_python_runs("""if True:
        import io, sys
        import tensorflow as tf
        from reference.lstm import keras_layer
        assert tf.config.experimental.tensor_float_32_execution_enabled()
        sys.stdin = io.StringIO("[]")
        keras_layer.main()
        assert not tf.config.experimental.tensor_float_32_execution_enabled()
    """)


@pytest.mark.thorough
def test_a_build_for_a_gpu_does_not_use_the_cpu_instead():
    with pytest.raises(ReferenceUnavailable, match="TensorFlow finds no GPU"):
        answer_with_keras([], gpu={})  # no card is shown to it


def test_answers_come_from_the_package_that_asks_wherever_it_lies(tmp_path):
    """It may be found by a search path that no other process knows (the autograder of Gradescope)."""
    shutil.copytree(Path(__file__).parents[3] / "reference", tmp_path / "reference")
    (tmp_path / "reference" / "lstm" / "keras_layer.py").write_text("raise SystemExit('this copy was asked')")
    asks = (
        "import sys; sys.path.insert(0, sys.argv[1]); from reference.store import *\n"
        "try:\n    build_with_keras([])\nexcept ReferenceUnavailable as exc:\n    print(exc)"
    )
    assert "this copy was asked" in assert_python_runs(asks, tmp_path).stdout
