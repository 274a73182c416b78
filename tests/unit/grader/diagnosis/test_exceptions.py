"""Codes of exceptions, advice that fits them, and the statement behind a missing name."""

import pytest

from grader.diagnosis.exceptions import (
    advised,
    error_variant,
    exception_problem,
    is_out_of_memory,
    once,
    syntax_variant,
)
from grader.diagnosis.missing_names import behind_missing_name
from grader.diagnosis.outcomes import structural_problem
from grader.execution.reading import Reading
from grader.report.finding import Finding
from grader.report.server_paths import in_brief
from tests.unit.grader.diagnosis.events import failed_event, raised_event


@pytest.mark.parametrize(
    ("type", "message", "code"),
    [
        ("TypeError", "LSTMCell.call() missing 1 required positional argument: 'c'", "missing_argument"),
        ("TypeError", "Dense.__init__() missing 1 required positional argument: 'units'", "missing_argument"),
        ("NotImplementedError", "", "not_implemented"),
        ("ValueError", "Attempt to convert a value (Ellipsis) with an unsupported type", "not_implemented"),
        ("TypeError", "unsupported operand type(s) for *: 'ellipsis' and 'float'", "not_implemented"),
        ("RecursionError", "", "recursion"),
        ("TypeError", "'EagerTensor' object does not support item assignment", "tensor_item_assignment"),
        ("TypeError", "'tuple' object does not support item assignment", "raises_in_call"),
        ("AttributeError", "module 'tensorflow' has no attribute 'placeholder'", "tf1_api"),
        ("AttributeError", "'LSTMCell' object has no attribute 'layers'", "attribute_error"),
        ("ModuleNotFoundError", "No module named 'torch'", "missing_package"),
        ("ModuleNotFoundError", "No module named 'lstm_solution'", "imports_solution"),
        ("ModuleNotFoundError", "No module named 'appdirs'", "other_file"),
        ("ModuleNotFoundError", "No module named 'keras.layers.recurrent'", "tf1_api"),
        ("AttributeError", "module 'tensorflow._api.v2.nn' has no attribute 'dynamic_rnn'", "tf1_api"),
        ("FileNotFoundError", "[Errno 2] No such file or directory: 'w.npy'", "reads_files"),
        ("SystemExit", "0", "exits"),
        ("RuntimeError", "can't start new thread", "too_many_threads"),
        ("ValueError", "shapes do not fit", "raises_in_call"),
    ],
)
def test_an_exception_of_a_students_line_has_a_name(type, message, code):
    assert exception_problem(raised_event(message, type=type)).code == code


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (raised_event(type="Mine", bases=["NotImplementedError"]), "not_implemented"),
        (raised_event(type="InputUnavailable", bases=["EOFError"]), "input_call"),
        (raised_event("no", phase="build", in_init=True), "raises_in_init"),
        (raised_event("missing a required argument: 'h'", type="TypeError", lines=()), "call_signature"),
        (raised_event("'LSTMCell' object has no attribute 'built'", type="AttributeError", lines=()),
         "super_init_missing"),
        (raised_event("descriptor '__init__' of 'super' object needs an argument", type="TypeError", in_init=True),
         "super_init_missing"),
    ],
    ids=["a subclass", "of ours", "in __init__", "no line, call", "no line, built", "super without brackets"],
)  # fmt: skip
def test_an_exception_is_also_named_by_its_bases_and_its_place(raised, code):
    assert exception_problem(raised).code == code


@pytest.mark.parametrize(
    ("head", "variant"),
    [
        ("@dataclass\nclass LSTM(tf.keras.Model):", "dataclass"),
        ("@dataclasses.dataclass(eq=False)\nclass LSTM(keras.Model):", "dataclass"),
        ("@dataclass\nclass Config:\n    n: int\n\nclass LSTM(tf.keras.Model):", None),
    ],
)
def test_a_constructor_that_a_decorator_writes_is_named_by_the_decorator(head, variant):
    raised = raised_event("you forgot to call `super().__init__()`", type="RuntimeError", lines=())
    found = exception_problem(raised, Reading(format="py", error=None, source=f"{head}\n    h_size: int = 32\n"))
    assert (found.code, found.params.get("variant")) == ("super_init_missing", variant)


@pytest.mark.parametrize(
    "raised",
    [
        raised_event(type="MemoryError"),
        raised_event(type="_ArrayMemoryError", bases=["MemoryError"]),
        raised_event("OOM when allocating tensor", type="ResourceExhaustedError"),
        raised_event("std::bad_alloc", type="InternalError"),
    ],
    ids=lambda raised: raised.type,
)
def test_memory_that_ran_out_is_recognised(raised):
    assert is_out_of_memory(raised)


@pytest.mark.parametrize(
    "message",
    [
        "property 'losses' of 'LSTM' object has no setter",
        "property 'losses' of 'make.<locals>.LSTM' object has no setter",
        'Can\'t set the attribute "losses", likely because it conflicts with an existing read-only @property.',
        "`Model.losses` attribute is reserved and should not be used. Please use another name.",
    ],
    ids=["Keras 3", "in a function", "Keras 2", "layers in Keras 3"],
)
def test_a_name_that_keras_keeps_for_itself_is_called_reserved(message):
    found = exception_problem(raised_event(message, type="AttributeError", lines=(7,), in_init=True))
    assert (found.code, found.params["name"], found.params["line"]) == ("reserved_name", "losses", 7)


OVERWRITING = """class Vocabulary:
    def __init__(self, name):
        self.name = name
        self.build = True

class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.{} = n

class Trainer:
    def __init__(self):
        self.call = self.name = 5
"""


@pytest.mark.parametrize(
    ("message", "assigned", "found"),
    [
        ("32 is not a callable object", "build", ("build", 9)),
        ("32 is not a callable object", "call", ("call", 9)),
        ("'int' object is not callable", "build", ("build", 9)),
        ("missing a required argument: 'inputs'", "build", ("build", 9)),
        ("Inputs to a layer should be tensors. Got '(2, 3, 4)'", "build", ("build", 9)),
        ("missing a required argument: 'h'", "build", None),
        ("Argument `name` must be a string and cannot contain character `/`. Received: name=32", "name", ("name", 9)),
        ("32 is not a callable object", "units", None),
        ("32 is not a callable object", "name", None),
        ("missing a required argument: 'h'", "name", None),
        ("too many positional arguments", "build", None),
        ("shapes do not fit", "name", None),
        ("Argument `name` must be a string and cannot contain character `/`. Received: name=32", "units", None),
    ],
)
def test_a_name_of_keras_that_the_class_overwrites_is_found_where_keras_fails_later(message, assigned, found):
    reading = Reading(format="py", error=None, source=OVERWRITING.format(assigned), class_line=6)
    told = exception_problem(raised_event(message, type="TypeError", lines=[]), reading)
    assert ((told.params["name"], told.params["line"]) if told.code == "reserved_name" else None) == found


@pytest.mark.parametrize(
    ("type", "message", "variant"),
    [
        ("TypeError", "cannot unpack non-iterable NoneType object", "no_return"),
        ("ValueError", "not enough values to unpack (expected 3, got 2)", "unpack"),
        ("ValueError", 'Layer "dense_9" expects 1 input(s), but it received 2 input tensors.', "one_tensor"),
        ("TypeError", "TimeDistributed.call() got multiple values for argument 'training'", "one_tensor"),
        ("TypeError", "LSTMCell.__init__() takes 2 positional arguments but 3 were given", "arguments"),
        ("TypeError", "call() got an unexpected keyword argument 'hidden'", "arguments"),
        ("ValueError", "Unrecognized keyword arguments passed to Dense: {'activations': 'tanh'}", "arguments"),
        ("InvalidArgumentError", "Number of ways to split should evenly divide the split dimension", "split"),
        ("ValueError", "expected axis -1 of input shape to have value 16, but received input with shape (2, 32)",
         "layer_width"),
        ("TypeError", "'int' object is not callable", "not_callable"),
        ("TypeError", "'NoneType' object cannot be interpreted as an integer", "none"),
        ("IndexError", "list index out of range", "index"),
        ("InvalidArgumentError", "slice index 100 of dimension 1 out of bounds.", "index"),
        ("KeyError", "'c'", "key"),
        ("ValueError", "The truth value of an array with more than one element is ambiguous.", "truth"),
        ("ZeroDivisionError", "integer division or modulo by zero", "division"),
        ("TypeError", "'int' object is not iterable", "count"),
        ("TypeError", "Cannot iterate over a scalar tensor.", "count"),
        ("InvalidArgumentError", "input #1 was expected to be a double tensor but is a float tensor", "dtype"),
        ("InvalidArgumentError", "Input to reshape is a tensor with 6400 values, but the requested shape has 1400",
         "reshape"),
        ("InvalidArgumentError", "transpose expects a vector of size 3. But input(1) is a vector of size 2", "axes"),
        ("InvalidArgumentError", "Incompatible shapes: [2,32] vs. [3,32]", "shapes"),
        ("InvalidArgumentError", "Matrix size-incompatible: In[0]: [2,32], In[1]: [2,32]", "shapes"),
        ("TypeError", "Can not cast TensorSpec(shape=(2, 100, 16)) to TensorSpec(shape=(None, 10, 8))", "signature"),
        ("ValueError", "`name` must be passed as a keyword argument. Use: add_weight(shape=..., name='k')", "by_name"),
        ("TypeError", "stack() got an unexpected keyword argument 'dim'", "torch_keyword"),
        ("TypeError", "'TensorShape' object is not callable", "shape_called"),
        ("ValueError", "Argument `axis` = 3 not in range [-3, 3)", "axis"),
        ("InvalidArgumentError", "Expected concatenating dimensions in the range [-2, 2), but got 2", "axis"),
        ("TypeError", "Missing required positional argument", "lacking"),
        ("ValueError", "on layer 'lstm_1' with a weight list of length 3, but the layer was expecting 12 weights.",
         "weight_list"),
        ("AxisError", "axis 3 is out of bounds for array of dimension 3", "axis"),
        ("InvalidArgumentError", "slice index 16 of dimension 2 out of bounds.", "last_axis"),
        ("InvalidArgumentError", "Index out of range using input dim 2; input has only 2 dims", "fewer_axes"),
        ("IndexError", "too many indices for array: array is 2-dimensional, but 3 were indexed", "fewer_axes"),
        ("InaccessibleTensorError", "<tf.Tensor 'while/mul_2:0' shape=(2, 32)> is out of scope", "kept_list"),
        ("OperatorNotAllowedInGraphError", "Iterating over a symbolic `tf.Tensor` is not allowed", "graph"),
        ("InvalidArgumentError", "Shapes of all inputs must match: values[0].shape = [2,32] != values[5].shape = [5,8]",
         "kept_list"),
        ("TypeError", "super(type, obj): obj must be an instance or subtype of type", "super"),
        ("ValueError", "tf.function only supports singleton tf.Variables created on the first call.", "variable"),
        ("ValueError", "You cannot add new elements of state (variables or sub-layers) to a layer", "late_layer"),
        ("ValueError", "A KerasTensor cannot be used as input to a TensorFlow function.", "keras_input"),
        ("ValueError", "Could not interpret activation function identifier: 32", "activation"),
        ("TypeError", "'float' object cannot be interpreted as an integer", "whole_number"),
        ("ValueError", "Received an invalid value for `units`, expected a positive integer. Received: units=16.0",
         "whole_number"),
        ("ValueError", "Received an invalid value for `units`, expected a positive integer. Received: units=(32,)",
         "whole_number"),
        ("InvalidArgumentError", "Incompatible shapes: [0] vs. [2,32]", "list_plus"),
        ("TypeError", "list indices must be integers or slices, not tuple", "list_index"),
        ("TypeError", "list indices must be integers or slices, not str", None),
        ("TypeError", "Only integers and slices (`:`) are valid indices, got <tf.Tensor: shape=(100, 16)>",
         "tensor_index"),
        ("InvalidArgumentError", "ConcatOp : Dimension 1 in both shapes must be equal: [2,16] vs. [2,32]", "joined"),
        ("InvalidArgumentError", "ConcatOp : Dimension 0 in both shapes must be equal: shape[0] = [1,32] vs. [2,16]",
         "joined_rows"),
        ("ValueError", "The two structures don't have the same nested structure.", "structure"),
        ("ValueError", "Only input tensors may be passed as positional arguments. 0 (of type <class 'int'>)",
         "number_as_state"),
        ("ValueError", "positional arguments. The following argument value should be: [1] (of type <class 'list'>)",
         "arguments"),
        ("TypeError", "'Dense' object is not subscriptable", "uncalled"),
        ("TypeError", "'NoneType' object is not subscriptable", "none"),
        ("TypeError", "'generator' object is not subscriptable", "generator"),
        ("TypeError", "object of type 'map' has no len()", "generator"),
        ("TypeError", "Expected list for 'values' argument, not {0: <tf.Tensor: shape=(2, 32)>}", "generator"),
        ("TypeError", "Cannot use <tf.Tensor: shape=(2, 32), dtype=float32>", None),
        ("ValueError", "a value (<zip object>) with an unsupported type (<class 'zip'>)", "generator"),
        ("TypeError", "unsupported operand type(s) for +: 'Dense' and 'Dense'", "uncalled"),
        ("ValueError", "a value with an unsupported type (<class 'keras.src.layers.core.dense.Dense'>)", "uncalled"),
        ("RuntimeError", "something else", None),
    ],
)  # fmt: skip
def test_advice_fits_the_error(type, message, variant):
    assert error_variant(type, message).get("variant") == variant


@pytest.mark.parametrize(
    ("line", "message", "variant"),
    [
        ("return tf.stack(hs, axis=1)", "list index out of range", "empty"),
        ("return tf.stack([hs[t] for t in range(9)])", "list index out of range", "index"),
        ("h = tf.zeros(x.shape[0], self.units)", "Error while casting from dtype int64 to uint2.", "size_as_dtype"),
        ("h = np.zeros(tf.shape(x)[0], 32)", "Cannot interpret '32' as a data type", "size_as_dtype"),
        ("z = tf.concat(1, [x, h])", "Shapes of all inputs must match: values[0].shape = [2,16]", "axis_first"),
        ("z = tf.stack([x, h], axis=1)", "Shapes of all inputs must match: values[0].shape = [2,16]", "widths"),
        ("z = tf.matmul([x, h], w) + b", "Shapes of all inputs must match: values[0].shape = [2,16]", "widths"),
        ("z = tf.stack(hs, axis=1)", "Shapes of all inputs must match: values[0].shape = [2,16]", "kept_list"),
        ("h = tf.zeros(shape, dtype=units)", "Cannot convert value 32 to a TensorFlow DType.", None),
        ("h, c = self.step(x)", "cannot unpack non-iterable NoneType object", "no_return"),
        ("batch, steps = x.shape", "too many values to unpack (expected 2)", "sizes"),
        ("h, c = initial_state", "cannot unpack non-iterable NoneType object", "none"),
        # It raises the error itself.
        ("raise ValueError('bad shape')", "bad shape", "own"),
        (
            "h, c = self.cell(x, h, c)",
            "LSTMCell.__init__() takes 2 positional arguments but 4 were given",
            "class_called",
        ),
        (
            "self.cell = LSTMCell(n, n)",
            "LSTMCell.__init__() takes 2 positional arguments but 3 were given",
            "arguments",
        ),
    ],
)
def test_advice_fits_the_line_that_raised_the_error(line, message, variant):
    assert error_variant("Error", message, ["x = first(x)", line]).get("variant") == variant


def test_a_tensor_of_a_graph_that_meets_numpy_is_no_method_that_is_not_written():
    text = "Cannot convert a symbolic tf.Tensor (mul:0) to a numpy array"
    message = f'in user code:\n\n    File "submission.py", line 8\n\n    NotImplementedError: {text}.'
    found = exception_problem(raised_event(message, type="NotImplementedError"))
    assert (found.code, found.params["variant"]) == ("raises_in_call", "graph")
    assert found.params["message"] == text
    found = exception_problem(raised_event("'SymbolicTensor' object has no attribute 'numpy'", type="AttributeError"))
    assert (found.code, found.params["variant"]) == ("attribute_error", "graph")


@pytest.mark.parametrize("made", ["@tf.function", "for t in tf.range(n):"])
def test_a_tensor_of_a_loop_in_a_graph_is_none_of_an_earlier_call(made):
    message = "<tf.Tensor 'while/mul_2:0' shape=(2, 32)> is out of scope"
    assert error_variant("InaccessibleTensorError", message, source=made) == {"variant": "graph"}


def test_a_recursion_shows_each_line_once():
    assert once([4, 7, 9, 7, 9, 7, 9]) == [4, 7, 9]


# --- what was meant ---------------------------------------------------------------------------------------------------

SOURCE = """class LSTMCell(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.fcXO = tf.keras.layers.Dense(h_size)
        self.units : int = h_size
        self.Wf, self.W0 = self.made()

    def call(x, h, c):
        return self.step(fcXO(x))

    @staticmethod
    def gate(z, b):
        return z

    def show(z, self):
        return K.sum(z.gates)

    def build(self, shape):
        self.kept = shape
        fcHO = tf.keras.layers.Dense(3)
"""


def _told(message, type, *, lines=(8,), source=SOURCE):
    reading = Reading(format="py", error=None, source=source)
    return exception_problem(raised_event(message, type=type, lines=lines), reading)


@pytest.mark.parametrize(
    ("name", "variant", "similar"),
    [
        ("fcXO", "attribute", "self.fcXO"),
        ("units", "attribute", "self.units"),
        ("fcHO", "bare", "self.fcHO"),
        ("hsize", "similar", "h_size"),
        ("sigmoid", "prefix", "tf.sigmoid"),
        ("Layer", "prefix", "tf.keras.layers.Layer"),
        ("K", "module", None),
        ("xrange", "similar", "range"),
        ("qwertz", None, None),
    ],
)
def test_a_name_that_does_not_exist_leads_to_the_one_that_was_meant(name, variant, similar):
    found = _told(f"name '{name}' is not defined", "NameError")
    assert (found.code, found.params.get("variant"), found.params.get("similar")) == ("name_error", variant, similar)


@pytest.mark.parametrize(
    ("name", "found"), [("_init_", ("_init_", 2)), ("__int__", ("__int__", 2)), ("__init__", None), ("build", None)]
)
def test_a_constructor_with_a_misspelt_name_is_none(name, found):
    source = f"class LSTM(tf.keras.Model):\n    def {name}(self, n):\n        self.n = n\n"
    message = "Functional.__init__() missing 2 required positional arguments: 'inputs' and 'outputs'"
    raised = raised_event(message, type="TypeError", lines=(), in_init=True)
    told = exception_problem(raised, Reading(format="py", error=None, source=source))
    assert told.code == "init_signature"
    assert ((told.params["method"], told.params["line"]) if "variant" in told.params else None) == found


@pytest.mark.parametrize(
    ("message", "variant", "similar"),
    [
        ("'LSTMCell' object has no attribute 'fcX0'", "zero", "fcXO"),
        ("'LSTMCell' object has no attribute 'Wo'", "zero", "W0"),
        ("'LSTMCell' object has no attribute 'unit'", "similar", "units"),
        ("'LSTMCell' object has no attribute 'qwertz'", "unset", None),
        ("'LSTMCell' object has no attribute 'fcXI'", "unset", None),
        ("'LSTMCell' object has no attribute 'kept'", "elsewhere", None),
        ("'LSTMCell' object has no attribute 'fcHO'", "bare", "self.fcHO"),
        ("module 'tensorflow' has no attribute 'sigmod'", "similar", "sigmoid"),
        ("module 'tensorflow' has no attribute 'cat'", "renamed", "tf.concat"),
        ("module 'tensorflow' has no attribute 'batch_matmul'", "renamed", "tf.matmul"),
        ("module 'tensorflow' has no attribute 'to_float'", "renamed", "tf.cast"),
        ("module 'tensorflow' has no attribute 'relu'", "renamed", "tf.nn.relu"),
        ("module 'tensorflow' has no attribute 'clamp'", "renamed", "tf.clip_by_value"),
        ("module 'tensorflow' has no attribute 'qwertz'", None, None),
        ("'int' object has no attribute 'shape'", "number", None),
        ("'list' object has no attribute 'shape'", "list", None),
        ("'NoneType' object has no attribute 'shape'", "none", None),
        ("'SymbolicTensor' object has no attribute 'view'", "tensor", None),
        ("'tensorflow.python.framework.ops.EagerTensor' object has no attribute 'view'", "tensor", None),
        ("'tensorflow.python.framework.ops.EagerTensor' object has no attribute 'append'", "no_list", None),
        ("no words of Python", None, None),
    ],
)
def test_advice_on_an_attribute_fits_the_object_that_lacks_it(message, variant, similar):
    found = _told(message, "AttributeError")
    assert found.code == "attribute_error"
    assert (found.params.get("variant"), found.params.get("similar")) == (variant, similar)


def test_a_method_that_names_self_too_late_is_told_its_order():
    found = _told("'LSTMCell' object has no attribute 'gates'", "AttributeError", lines=(15,))
    assert (found.code, found.params["variant"], found.params["method"]) == ("missing_self", "order", "show")


def _forgot_self(message, lines, source=SOURCE):
    told = _told(message, "NameError" if message.startswith("name ") else "TypeError", lines=lines, source=source)
    return (told.params["method"], told.params["line"]) if told.code == "missing_self" else None


MARGIN = '''class LSTM(tf.keras.Model):
    """The LSTM of the course.
x is (batch, time, features).
    """
    def call(x):
        return x
'''


def test_text_at_the_margin_of_a_docstring_is_no_end_of_the_class():
    assert _forgot_self("too many positional arguments", (), MARGIN) == ("call", 5)
    assert _forgot_self("LSTM.call() takes 1 positional argument but 2 were given", (6,), MARGIN) == ("call", 5)


NESTED = """def step(x):
    return x

class LSTM(
    tf.keras.Model
):
    def __init__(self, n):
        super().__init__()
        self.fc = tf.keras.layers.Dense(n)

    def call({}):
        def step(state):
            return self.fc(state)
        h = tf.scan(step, x)
        return self.fc(h)

    @staticmethod
    # It needs nothing of the object.
    @tf.function
    def gate(x):
        return self.fc(x)

if True:
    def call(x):
        return self.fc(x)
"""


@pytest.mark.parametrize(
    ("message", "parameters", "lines", "found"),
    [
        ("LSTM.call.<locals>.step() takes 1 positional argument but 2 were given", "self, x", (14,), None),
        ("step() takes 1 positional argument but 2 were given", "self, x", (14,), None),
        ("too many positional arguments", "self, x", (), None),
        ("Dense.call() takes 1 positional argument but 2 were given", "x", (15,), None),
        ("LSTM.__init__() takes 2 positional arguments but 3 were given", "x", (9,), None),
        ("gate() takes 1 positional argument but 2 were given", "x", (21,), None),
        ("LSTM.call() takes 1 positional argument but 2 were given", "x", (), ("call", 11)),
        ("LSTM.call() takes 1 positional argument but 2 were given", "x", (15,), ("call", 11)),
        ("make.<locals>.LSTM.call() takes 1 positional argument but 2 were given", "x", (), ("call", 11)),
        ("too many positional arguments", "x", (), ("call", 11)),
        ("name 'self' is not defined", "x", (15,), ("call", 11)),
        ("name 'self' is not defined", "x", (14, 13), ("call", 11)),
        ("name 'self' is not defined", "self, x", (21,), None),
        ("name 'self' is not defined", "self, x", (25,), None),
    ],
)
def test_only_a_method_of_a_class_forgets_self(message, parameters, lines, found):
    assert _forgot_self(message, lines, NESTED.format(parameters)) == found


def test_of_two_versions_of_a_class_the_last_one_forgot_self():
    first, second = (NESTED.format(parameters) for parameters in ("x", "self, x"))
    message = "LSTM.call() takes 2 positional arguments but 3 were given"
    assert _forgot_self(message, (), first + second) is None
    assert _forgot_self(message, (), second + first) == ("call", 36)


@pytest.mark.parametrize(
    ("message", "type", "lines", "code"),
    [
        ("too many positional arguments", "TypeError", (), "call_signature"),
        ("LSTMCell.call() takes 2 positional arguments but 3 were given", "TypeError", (8,), "raises_in_call"),
        ("Model LSTMCell does not have a `call()` method implemented.", "NotImplementedError", (8,), "no_call_method"),
    ],
)
def test_a_call_that_is_missing_or_takes_less_is_named(message, type, lines, code):
    source = SOURCE.replace("def call(x, h, c)", "def call(self)")
    assert _told(message, type, lines=lines, source=source).code == code


def test_a_product_of_matrices_where_gates_multiply_element_by_element_is_recognised():
    unfit = "Matrix size-incompatible: In[0]: [2,32], In[1]: [2,32]"
    for line, variant in (("c = tf.matmul(f, c)", "matmul"), ("c = f @ c", "matmul"), ("c = f * c", "shapes")):
        assert _told(unfit, "InvalidArgumentError", lines=(1,), source=line).params["variant"] == variant
    unfit = "shapes (2,32) and (2,32) not aligned: 32 (dim 1) != 2 (dim 0)"
    assert _told(unfit, "ValueError", lines=(1,), source="c = np.dot(f, c)").params["variant"] == "matmul"
    other = "Matrix size-incompatible: In[0]: [2,32], In[1]: [16,32]"
    assert _told(other, "InvalidArgumentError", lines=(1,), source="z = x @ w").params["variant"] == "shapes"


@pytest.mark.parametrize(
    ("line", "variant"),
    [("z = tf.concat(x, h, axis=1)", "no_brackets"), ("z = tf.concat(values, 1, axis=1)", "arguments")],
)
def test_tensors_that_are_joined_without_a_list_are_told_of_it(line, variant):
    told = _told("Got multiple values for argument 'axis'", "TypeError", lines=(1,), source=line)
    assert told.params["variant"] == variant


LAYER_WITHOUT_CALL = """class Cell(tf.keras.layers.Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 4))
    def {}(self, x):
        return x
class LSTM(tf.keras.Model):
    def call(self, x):
        return self.cell(x)
"""


@pytest.mark.parametrize(("method", "code"), [("forward", "no_call_method"), ("call", "raises_in_call")])
def test_a_layer_without_call_is_told_where_its_build_fails(method, code):
    source = LAYER_WITHOUT_CALL.format(method)
    told = _told("'NoneType' object is not subscriptable", "TypeError", lines=(8, 3), source=source)
    assert (told.code, told.params.get("name")) == (code, "Cell" if code == "no_call_method" else None)


def test_an_object_that_cannot_be_called_is_one_of_the_students_own_class():
    found = _told("'LSTMCell' object is not callable", "TypeError")
    assert (found.code, found.params["variant"], found.params["name"]) == ("raises_in_call", "no_call", "LSTMCell")
    assert _told("'int' object is not callable", "TypeError").params["variant"] == "not_callable"


def test_a_tensor_of_one_axis_is_a_row_or_a_state_without_its_batch():
    message = "Input 0 of layer 'dense' is incompatible with the layer: expected min_ndim=2, found ndim=1."
    source = "h, c = self.cell(x, h, c)\nz = self.fcXI(x) + self.fcHI(h)\nh = self.cell(x, h, c)\n"
    assert _told(message, "ValueError", lines=(1, 2), source=source).params["variant"] == "rows"
    assert _told(message, "ValueError", lines=(3, 2), source=source).params["variant"] == "rows"


@pytest.mark.parametrize(
    ("message", "variant"),
    [
        ("unindent does not match any outer indentation level", "indent"),
        ("expected an indented block after 'for' statement on line 3", "indent"),
        ("unexpected indent", "indent"),
        ("inconsistent use of tabs and spaces in indentation", "tabs"),
        ("'return' outside function", "outside"),
        ("cannot assign to expression here. Maybe you meant '==' instead of '='?", "assign"),
        ("invalid character '“' (U+201C)", "character"),
        ("Missing parentheses in call to 'print'. Did you mean print(...)?", "print"),
        ("invalid syntax", None),
    ],
)
def test_advice_fits_an_error_of_syntax(message, variant):
    assert syntax_variant(message).get("variant") == variant


@pytest.mark.parametrize(
    ("through", "told"),
    [
        ("h, c = self(x[:, t], h, c)", ("recursion", 2, "ValueError: not enough values")),
        ("h, c = self.cell(x)  # not self(x)", ("raises_in_call", 3, None)),
    ],
)
def test_an_error_in_a_call_within_a_call_leads_to_the_outer_one(through, told):
    reading = Reading(format="py", error=None, source=f"y = self(x)\n{through}\nb, n = x\n")
    found = exception_problem(raised_event("not enough values", lines=(2, 3)), reading)
    assert (found.code, found.params["line"], found.params.get("inner")) == told


@pytest.mark.parametrize(
    ("message", "type", "advice"),
    [
        ("name 'lstm_mu' is not defined", "NameError", {"variant": "similar", "similar": "lstm_my"}),
        ("'LSTMCell' object has no attribute 'fcXG'", "AttributeError", {"variant": "similar", "similar": "fcXC"}),
        ("a weight list of length 3, but the layer was expecting 12.", "ValueError", {"variant": "weight_list"}),
        ("too many values to unpack (expected 2)", "ValueError", {"variant": "unpack"}),
        ("operands could not be broadcast together with shapes (2,100,32) (2,32)", "ValueError", {}),
    ],
)
def test_a_statement_outside_the_class_gets_advice_that_fits_its_error(message, type, advice):
    source = "class LSTMCell:\n    def __init__(self):\n        self.fcXI = self.fcXC = 1\nlstm_my = LSTM()\n"
    raised = {"type": type, "message": message, "line": 4}
    reading = Reading(format="py", error=None, source=source)
    assert advised(Finding.of("copying_failed", raised), reading).params == raised | advice


def test_a_long_message_ends_with_a_sentence_or_says_that_it_goes_on():
    sentence = "This tensor belongs to another graph. "
    assert in_brief(sentence * 20) == (sentence * 5).strip().rstrip(".")
    assert in_brief("word " * 100) == ("word " * 40).strip() + "…"
    assert in_brief("x" * 8000) == "x" * 200 + "…"
    assert in_brief("Short.") == "Short"


# --- what is behind a missing name ------------------------------------------------------------------------------------

LOST = raised_event("name 'CustomLSTMCell' is not defined", type="NameError")


@pytest.mark.parametrize(
    ("failed", "code", "params"),
    [
        (failed_event(1, "ModuleNotFoundError", "No module named 'cells'", binds=["CustomLSTMCell"], module="cells"),
         "other_file", {"module": "cells", "name": "CustomLSTMCell", "line": 1}),
        (failed_event(1, "ModuleNotFoundError", "No module named 'cells'", binds=["*"], module="cells"),
         "other_file", {"module": "cells", "name": "CustomLSTMCell", "line": 1}),
        (failed_event(1, "ImportError", "attempted relative import with no known parent package",
                      binds=["CustomLSTMCell"], module=".cells"),
         "other_file", {"module": ".cells", "name": "CustomLSTMCell", "line": 1}),
        (failed_event(1, "ModuleNotFoundError", "No module named 'torch'", binds=["CustomLSTMCell"], module="torch.nn"),
         "missing_package", {"package": "torch", "name": "CustomLSTMCell", "line": 1, "variant": "torch"}),
        (failed_event(1, "ImportError", "cannot import name 'CustomLSTMCell' from 'keras'", binds=["CustomLSTMCell"]),
         "definition_failed", {"name": "CustomLSTMCell", "line": 1, "type": "ImportError",
                               "message": "cannot import name 'CustomLSTMCell' from 'keras'"}),
        (failed_event(1, "ModuleNotFoundError", "No module named 'seaborn'", binds=["sns"]), None, {}),
    ],
    ids=["a file of the student's", "everything of a file", "a relative import", "a package", "another error", "none"],
)  # fmt: skip
def test_a_missing_name_is_traced_to_the_statement_that_failed(evidence_of, failed, code, params):
    execution = evidence_of(statements_failed=(failed,)).execution
    assert behind_missing_name(LOST, execution, "") == (code and Finding.of(code, params))


@pytest.mark.parametrize(
    ("message", "binds", "is_behind"),
    [
        ("'LSTMCell' object has no attribute 'zero_state'", "LSTMCell", True),
        ("LSTMCell.__init__() got an unexpected keyword argument 'units'", "LSTMCell", True),
        ("'LSTMCell' object has no attribute 'zero_state'", "Cell", False),
        ("MyLSTMCell.__init__() got an unexpected keyword argument 'units'", "LSTMCell", False),
    ],
    ids=["an attribute", "an argument", "the student's own runs", "another class"],
)
def test_an_error_of_the_cell_that_stands_in_for_a_failed_one_is_traced_to_it(evidence_of, message, binds, is_behind):
    failed = failed_event(3, "AttributeError", "module 'keras' has no attribute 'Cells'", binds=[binds])
    execution = evidence_of(statements_failed=(failed,)).execution
    behind = behind_missing_name(raised_event(message, type="TypeError"), execution, "")
    assert (behind is not None and behind.code == "definition_failed") == is_behind


@pytest.mark.parametrize(
    ("failures", "problem"),
    [
        ([failed_event(2, "ModuleNotFoundError", "No module named 'layers'", binds=["LSTM"])],
         ("imports_solution", {"module": "layers", "line": 2})),
        ([failed_event(1, "ModuleNotFoundError", "No module named 'torch'", binds=["torch"])],
         ("missing_package", {"package": "torch", "line": 1, "variant": "torch"})),
        # A package that has nothing to do with it is not the reason.
        ([failed_event(1, "ModuleNotFoundError", "No module named 'seaborn'", binds=["sns"]),
          failed_event(2, "TypeError", "metaclass conflict", binds=["LSTM"])],
         ("definition_failed", {"name": "LSTM", "line": 2, "type": "TypeError", "message": "metaclass conflict"})),
        ([failed_event(1, "ModuleNotFoundError", "No module named 'torch'", binds=["nn"]),
          failed_event(2, "NameError", "name 'nn' is not defined", binds=["LSTM"])],
         ("missing_package", {"package": "torch", "name": "nn", "line": 1, "variant": "torch"})),
    ],
    ids=["its own import", "some import", "its own statement", "through its base class"],
)  # fmt: skip
def test_a_class_that_is_not_there_is_explained_by_what_failed(evidence_of, class_found, failures, problem):
    found = class_found.model_copy(update={"found": False, "is_class": False})
    execution = evidence_of(class_found=found, statements_failed=tuple(failures)).execution
    assert structural_problem(execution, Reading(format="py", error=None, class_line=2)) == Finding.of(*problem)


@pytest.mark.parametrize(
    ("type", "message", "guess"),
    [
        (
            "AttributeError",
            "module 'tensorflow' has no attribute 'tensor'",
            {"variant": "similar", "similar": "Tensor"},
        ),
        ("AttributeError", "module 'keras.keras' has no attribute 'Modle'", {"variant": "similar", "similar": "Model"}),
        ("NameError", "name 'Tensr' is not defined", {"variant": "similar", "similar": "Tensor"}),
        ("AttributeError", "type object 'Cell' has no attribute 'size'", {"variant": "unset"}),
        ("TypeError", "metaclass conflict", {}),
    ],
)
def test_a_definition_that_fails_says_the_line_in_it_and_what_was_meant(evidence_of, class_found, type, message, guess):
    source = "class Cell:\n    def f(self):\n        self.units = Tensor\n"
    found = class_found.model_copy(update={"found": False, "is_class": False})
    failed = failed_event(2, type, message, binds=["LSTM"], raised_at=7)
    execution = evidence_of(class_found=found, statements_failed=(failed,)).execution
    told = structural_problem(execution, Reading(format="py", error=None, source=source, class_line=2))
    where = {"name": "LSTM", "line": 7, "type": type, "message": message}
    assert told == Finding.of("definition_failed", {**where, **guess})
