"""Formulas read from classes in strange styles: those that the class computes, as its own numbers say, or none."""

import ast
import re
import textwrap
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grader.numerics.written_formulas import certain_formulas, written_mistake
from reference.cell import Formula, sigmoid
from reference.lstm.definition import CELL
from reference.lstm.misconceptions.gates import WRITABLE
from reference.lstm.weights import DENSE_LETTERS
from tests.unit.runner.test_formulas import formulas_of

CLASS = """{before}
class LSTMCell({base}):
    def __init__(self, n, plain=True):
        for gate in "IFCO":
            setattr(self, "fcX" + gate, tf.keras.layers.Dense(n))
            setattr(self, f"fcH{{gate}}", tf.keras.layers.Dense(n, use_bias=False))
        self.training, self.plain, self.left_out = n < 0, plain, set("g")
    def call(self, x, h, c):
        zi, zf = self.fcXI(x) + self.fcHI(h), self.fcXF(x) + self.fcHF(h)
        zg, zo = self.fcXC(x) + self.fcHC(h), self.fcXO(x) + self.fcHO(h)
        z = {{"i": zi, "f": zf, "g": zg, "o": zo}}
{call}
        return h, c
class LSTM(tf.keras.Model):
    def __init__(self, n, plain=True):
        self.cell = LSTMCell(n, plain)
    def call(self, x):
        h, c = tf.zeros((2, 3)), tf.zeros((2, 3))
        hs = []
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], h, c)
            hs.append(h)
        return tf.stack(hs, axis=1)
model = LSTM(3, plain=False)
"""
#: Stand for what is written as usual; a class without its own `h` ends with the updates.
PLAIN = "i, f, g, o = tf.sigmoid(zi), tf.sigmoid(zf), tf.tanh(zg), tf.sigmoid(zo)"
UPDATES = "c = f * c + i * g\nh = o * tf.tanh(c)\n"
BY_NAME = 'i, f, g, o = z["i"], z["f"], z["g"], z["o"]'

#: After ``##`` a name, and then what cannot be read, or what is said; before ``--`` what stands before the classes.
STYLES = """
## an exponential of its own
def sig(z):
    e = tf.exp(z)
    return e / (1 + e)
--
i, f, g, o = sig(zi), sig(zf), tf.tanh(zg), sig(zo)
## one function for several
i, f, o = map(tf.sigmoid, (zi, zf, zo))
g = tf.tanh(zg)
## wrong: tan ## ch = tan(fcXC(x) + fcHC(h))
PLAIN
g = tf.tan(zg)
## undone in the update
PLAIN
f = tf.sigmoid(-zf)
c = (1 - f) * c + i * g
h = o * tf.tanh(c)
## factors that cancel
PLAIN
i, g = 2 * i, g / 2
## augmented
PLAIN
c *= f
c += i * g
h = o * tf.tanh(c)
## walrus
i, f, g, o = zi, zf, zg, zo
f, i, g, o = (f := tf.sigmoid(f)), tf.sigmoid(i), tf.tanh(g), tf.sigmoid(o)
## imports under other names
from tensorflow import sigmoid as tanh, tanh as sigmoid
--
i, f, g, o = tanh(zi), tanh(zf), sigmoid(zg), tanh(zo)
## shadowed names
tanh, sigmoid = tf.sigmoid, tf.tanh
i, f, g, o = tanh(zi), tanh(zf), sigmoid(zg), tanh(zo)
## operators of a module
import operator
--
PLAIN
c = operator.add(operator.mul(f, c), operator.mul(i, g))
h = o * tf.tanh(c)
## keywords
PLAIN
c = tf.subtract(y=-(i * g), x=tf.multiply(y=c, x=f))
h = o * tf.tanh(c)
## einsum ## all
PLAIN
update = tf.einsum("bu,bu->bu", i, g)
c = f * c + update
h = o * tf.tanh(c)
## operators of its own ## all
class Value:
    def __init__(self, of): self.of = of
    def __mul__(self, other): return Value(self.of * other.of)
    def __add__(self, other): return Value(self.of + other.of)
--
PLAIN
c = (Value(f) * Value(c) + Value(i) * Value(g)).of
h = o * tf.tanh(c)
## a decorator with an argument
def by(act):
    def wrap(fn): return lambda *args, **named: act(fn(*args, **named))
    return wrap
class Base(tf.keras.Model):
    @by(tf.sigmoid)
    def gate(self, z): return z
--
i, f, g, o = self.gate(zi), self.gate(zf), tf.tanh(zg), self.gate(zo)
## a class as a decorator
class Through:
    def __init__(self, fn): self.fn = fn
    def __call__(self, z): return tf.sigmoid(self.fn(z))
@Through
def sig(z): return z
--
i, f, g, o = sig(zi), sig(zf), tf.tanh(zg), sig(zo)
## a __call__ around call
class Act:
    def call(self, z): return z
    def __call__(self, z): return tf.sigmoid(self.call(z))
sig = Act()
--
i, f, g, o = sig(zi), sig(zf), tf.tanh(zg), sig(zo)
## inherited
class Base(tf.keras.Model):
    def act(self, z): return tf.sigmoid(z)
--
i, f, g, o = super().act(zi), self.act(zf), tf.tanh(zg), self.act(zo)
## defaults in a loop
fs = []
for act in (tf.sigmoid, tf.sigmoid, tf.tanh, tf.sigmoid):
    fs.append(lambda z, act=act: act(z))
i, f, g, o = [fn(each) for fn, each in zip(fs, (zi, zf, zg, zo))]
## a default before it changes
act = tf.sigmoid
def sig(z, *, act=act): return act(z)
act = tf.tanh
i, f, g, o = sig(zi), sig(zf), act(zg), sig(zo)
## a default for training
def sig(z, training=False):
    if training:
        z = z / 2
    return tf.sigmoid(z)
--
i, f, g, o = sig(zi), sig(zf), tf.tanh(zg), sig(zo)
## training ## f
PLAIN
drop = None
if self.training:
    drop = 0.5
if drop is not None:
    f = f * drop
## a parameter that a call gives ## g
PLAIN
if self.plain:
    g = zg
## match ## all
for k in z:
    match k:
        case "g": z[k] = tf.tanh(z[k])
        case _: z[k] = tf.sigmoid(z[k])
BY_NAME
## continue for unknown gates ## all
z["g"] = tf.tanh(zg)
for k in z:
    if k in self.left_out:
        continue
    z[k] = tf.sigmoid(z[k])
BY_NAME
## break
zs = [zi, zf, zo, zg]
for k in range(4):
    if k == 3:
        break
    zs[k] = tf.sigmoid(zs[k])
i, f, o, g = zs
g = tf.tanh(g)
## else after a loop
for k in "io":
    z[k] = tf.sigmoid(z[k])
else:
    z["f"], z["g"] = tf.sigmoid(zf), tf.tanh(zg)
BY_NAME
## one of a few
z["g"] = tf.tanh(zg)
for k in z:
    if k not in ("i", "f", "o"):
        continue
    z[k] = tf.sigmoid(z[k])
BY_NAME
## a filter
z = {**z, "g": tf.tanh(zg), **{k: tf.sigmoid(v) for k, v in z.items() if k in "ifo"}}
BY_NAME
## an unknown filter ## all
z |= {k: tf.sigmoid(v) for k, v in z.items() if k not in self.left_out}
z["g"] = tf.tanh(zg)
BY_NAME
## a dictionary that is updated
z.update({"g": tf.tanh(zg), "i": tf.sigmoid(zi)}, f=tf.sigmoid(zf))
z |= {"o": tf.sigmoid(zo)}
BY_NAME
## elements that are taken out
g = tf.tanh(z.pop("g"))
zs = [tf.sigmoid(v) for v in z.values()]
i, o, f = zs.pop(0), zs.pop(), zs[0]
## an element that is put in
zs = [tf.sigmoid(zi), tf.sigmoid(zo)]
zs.insert(1, tf.sigmoid(zf))
i, f, o = zs
g = tf.tanh(zg)
## an element that is deleted ## all
zs = [zg, tf.sigmoid(zi), tf.sigmoid(zf), tf.sigmoid(zo)]
del zs[0]
i, f, o = zs[0], zs[1], zs[2]
g = tf.tanh(zg)
## a sorted list ## all
zs = [("o", tf.sigmoid(zo)), ("f", tf.sigmoid(zf)), ("i", tf.sigmoid(zi))]
zs.sort(key=lambda each: each[0])
(_, f), (_, i), (_, o) = zs
g = tf.tanh(zg)
## a slice
zs = [zi, zf, zo]
zs[:] = [tf.sigmoid(each) for each in zs]
i, f, o = zs
g = tf.tanh(zg)
## unknown places ## all
zs = [zi, zf, zo]
for k in range(len(zs)):
    zs[k] = tf.sigmoid(zs[k])
i, f, o = zs
g = tf.tanh(zg)
## stars
i, f, o = zi, zf, zo
f, *rest = [tf.sigmoid(each) for each in (f, i, o)]
*_, o = rest
(i, *_), g = rest, tf.tanh(zg)
## places of an unknown order ## all
for k in sorted(z):
    z[k] = tf.tanh(z[k]) if k == "g" else tf.sigmoid(z[k])
BY_NAME
## attributes of unknown names ## all
PLAIN
self.f = zf
for k in sorted("f"):
    setattr(self, k, tf.sigmoid(zf))
f = self.f
## a property ## all
class Base(tf.keras.Model):
    @property
    def f(self): return self._f
    @f.setter
    def f(self, z): self._f = tf.sigmoid(z)
--
PLAIN
self.f = zf
f = self.f
## a context ## all
class Given:
    def __enter__(self): return tf.sigmoid
    def __exit__(self, *error): return None
--
PLAIN
act = tf.tanh
with Given() as act:
    f = act(zf)
## an error ## all
PLAIN
f = zf
try:
    raise ValueError
except ValueError:
    f = tf.sigmoid(zf)
## nonlocal ## all
PLAIN
f = zf
def squash():
    nonlocal f
    f = tf.sigmoid(f)
squash()
## exec ## all
PLAIN
names = {"f": zf, "tf": tf}
exec("f = tf.sigmoid(f)", names)
f = names["f"]
## __dict__ ## all
PLAIN
self.f = zf
self.__dict__.update(f=tf.sigmoid(zf))
f = self.f
## into an array ## all
PLAIN
f = 1 * zf
np.tanh(f / 2, out=f)
f = (f + 1) / 2
## into an argument ## all
PLAIN
g = 1 * zg
np.tanh(g, g)
## into a part of an array ## all
zs = np.stack([zi, zf, zg, zo])
zs[[0, 1, 3]] = tf.sigmoid(zs[[0, 1, 3]])
zs[2] = tf.tanh(zs[2])
i, f, g, o = zs
## a namespace ## f
from types import SimpleNamespace
--
PLAIN
made = SimpleNamespace(f=self.fcXF(x))
f = tf.sigmoid(made.f + self.fcHF(h))
## the other sign of a weight ## f
PLAIN
f = tf.sigmoid(-(x @ -self.fcXF.kernel) + self.fcXF.bias + self.fcHF(h))
## text that looks like code
PLAIN
'''f = tf.nn.relu(zf)'''
note = "f = zf"  # c = f*c - i*g

## wrong: a function in the update ## c = f*c + i*tanh(ch)
PLAIN
c = f * c + i * tf.tanh(g)
h = o * tf.tanh(c)
## wrong: sigmoid for tanh, beside a mistake ## c = f*c - i*ch
PLAIN
g = 2 * tf.sigmoid(2 * zg) - 1
c = f * c - i * g
h = o * tf.tanh(c)
## wrong: decorated twice ## f = sigmoid(sigmoid(fcXF(x) + fcHF(h)))
def through(fn): return lambda z: tf.sigmoid(fn(z))
@through
@through
def sig(z): return z
--
PLAIN
f = sig(zf)
## wrong: no default in a loop ## ch = sigmoid(fcXC(x) + fcHC(h))
acts = {"i": tf.sigmoid, "f": tf.sigmoid, "g": tf.tanh, "o": tf.sigmoid}
fs = {k: lambda v: acts[k](v) for k in "ifgo"}
i, f, g, o = [fs[k](v) for k, v in z.items()]
## wrong: continue forgets a gate ## ch = fcXC(x) + fcHC(h)
for k in z:
    if k == "g":
        continue
    z[k] = tf.sigmoid(z[k])
BY_NAME
## wrong: a name without effect ## f = fcXF(x) + fcHF(h)
PLAIN
f = zf
for each in (f,):
    each = tf.sigmoid(each)
## wrong: a default in the wrong place ## ch = sigmoid(fcXC(x) + fcHC(h))
def gate(z, act=tf.sigmoid): return act(z)
--
i, f, g, o = gate(zi), gate(zf), gate(zg), gate(zo)
"""
PARTS = re.compile(r"^## ([^#\n]+)(?:## (.+))?\n((?:(?!## |--\n).*\n)*)(?:--\n((?:(?!## ).*\n)*))?", re.MULTILINE)


class Dense:
    random = np.random.default_rng(0)

    def __init__(self, n: int, use_bias: bool = True) -> None:
        self.kernel = self.random.standard_normal((4 if use_bias else n, n))
        self.bias = self.random.standard_normal(n) * use_bias

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x @ self.kernel + self.bias)


class Model:
    def __call__(self, *arrays: np.ndarray) -> Any:
        return self.call(*arrays)  # type: ignore[attr-defined]


#: As much of TensorFlow as the classes use, in NumPy.
TF = SimpleNamespace(
    **{name: getattr(np, name) for name in ("tan", "tanh", "exp", "einsum", "zeros", "stack")},
    sigmoid=sigmoid,
    subtract=lambda x, y: x - y,
    multiply=lambda x, y: x * y,
    keras=SimpleNamespace(Model=Model, layers=SimpleNamespace(Dense=Dense)),
)


@pytest.mark.parametrize(
    ("said", "first", "second"),
    [pytest.param(said, first, second, id=name.strip()) for name, said, first, second in PARTS.findall(STYLES)],
)
def test_class_computes_what_is_read_in_it(said: str, first: str, second: str) -> None:
    before, call = (first, second) if second else ("", first)
    call = call.replace("PLAIN", PLAIN).replace("BY_NAME", BY_NAME) + UPDATES * ("\nh = " not in call)
    base = "Base" if "Base" in before else "tf.keras.Model"
    source = CLASS.format(before=before, base=base, call=textwrap.indent(call, " " * 8))
    names: dict[str, Any] = {"tf": TF, "np": np}
    exec(source.replace("from tensorflow import sigmoid as tanh", "tanh, sigmoid = tf.sigmoid, tf.tanh  # "), names)
    cell = names["model"].cell
    x, h, c = (np.random.default_rng(1).standard_normal((2, size)) for size in (4, 3, 3))
    answered = dict(zip(("h_new", "c_new"), cell(x, h, c.copy()), strict=True))

    values = {"h": h, "c": c}
    for gate, letter in DENSE_LETTERS.items():
        values |= {f"x_{gate}": getattr(cell, f"fcX{letter}")(x), f"h_{gate}": getattr(cell, f"fcH{letter}")(h)}
    read = formulas_of(source)
    formulas = {name: Formula(ast.parse(text, mode="eval").body, WRITABLE) for name, text in read.items()}
    usual, ours = dict(values), dict(values)
    for name, formula in CELL.formulas.items():
        usual[name], ours[name] = formula(usual), formulas.get(name, formula)(ours)
    for name, answer in answered.items():
        np.testing.assert_allclose(ours[name], answer, err_msg=str(read))

    is_right = all(np.allclose(usual[name], answer) for name, answer in answered.items())
    told = [found and found.mistake.params["formula"] for found in map(written_mistake, (read, certain_formulas(read)))]
    assert told == ([None, None] if is_right else [said, said])
    unread = set(CELL.formulas) if said == "all" else {said} & set(CELL.formulas)
    assert read.keys() == CELL.formulas.keys() - unread
