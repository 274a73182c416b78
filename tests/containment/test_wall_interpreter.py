"""Submissions that go for Python: code that runs when nobody expects it, and a runner that is rewritten under its feet.

And the other half of the promise: what honest code uses of Python, NumPy and TensorFlow works behind the wall.
"""

from __future__ import annotations

import pytest

from grader.submission import Submission

HONEST = {
    "AutoGraph": "f = tf.function(lambda x: x + 1 if tf.reduce_sum(x) > 0 else x)\nassert f(tf.ones(2))[0] == 2",
    "a graph": "assert tf.function(lambda x: tf.matmul(x, x))(tf.ones((2, 2)))[0, 0] == 2",
    "XLA": "assert tf.function(lambda x: x * 2, jit_compile=True)(tf.ones(2))[0] == 2",
    "gradients": """
        with tf.GradientTape() as tape:
            v = tf.Variable(3.0)
            y = v * v
        assert tape.gradient(y, v) == 6
        """,
    "a data set": "assert len(list(tf.data.Dataset.range(9).map(lambda v: v + 1, num_parallel_calls=2).batch(2))) == 5",
    "a data set from Python": (
        "assert len(list(tf.data.Dataset.from_generator(lambda: iter(range(3)), output_signature=tf.TensorSpec(())))) == 3"
    ),
    "training": """
        model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
        model.compile('sgd', 'mse')
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
        assert model.predict(np.ones((4, 2)), verbose=0).shape == (4, 1)
        """,
    "saving weights": "model.save_weights('w.weights.h5')\nmodel.load_weights('w.weights.h5')",
    "saving a model": "model.save('model.keras')",
    "arrays in files": "np.save('a.npy', np.ones(3))\nassert np.load('a.npy').sum() == 3",
    "linear algebra": "assert np.linalg.inv(np.eye(300)).sum() == 300\nnp.linalg.svd(np.ones((300, 300)))",
    "random numbers": "np.random.default_rng().normal(size=3)\n__import__('random').random()\nos.urandom(8)",
    "threads": """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(abs, range(10))) == 45
        """,
    "a temporary file": "import tempfile\nfile = tempfile.NamedTemporaryFile(delete=False)\nfile.write(b'x')\nfile.close()",
    "time": "time.sleep(0.01)\ntime.strftime('%H:%M')\n__import__('datetime').datetime.now()",
    "a late import": "import sqlite3, decimal, xml.dom.minidom, zipfile\nimport tensorflow.python.ops.signal",
    "the platform": "import platform\nplatform.platform()\nos.cpu_count()\nos.uname()",
    "a compiled regular expression": "import re\nassert re.search('(?P<x>a+)b', 'caab')['x'] == 'aa'",
    "inspect": "import inspect\nassert 'def fit' in inspect.getsource(tf.keras.Model.fit)",
    "a traceback": "import traceback\ntry: 1 / 0\nexcept ZeroDivisionError: traceback.print_exc(file=open('t', 'w'))",
    "locale and time zone": "import locale\nlocale.setlocale(locale.LC_ALL, '')\ntime.tzset()",
}


def test_what_honest_code_uses_works_behind_the_wall(probe):
    results = probe(HONEST)
    assert results == dict.fromkeys(results, "done")


# --- code that runs when nobody expects it ----------------------------------------------------------------------------

ESCAPE = (
    "print('ran', (lambda: [name for name in ('/etc/passwd', '..') if os.access(name, os.R_OK) and _opens(name)])())"
)
OPENS = """
def _opens(name):
    try:
        os.close(os.open(name, os.O_RDONLY))
        return True
    except OSError:
        return False

def escape():
    print('ran', [name for name in ('/etc/passwd', '..', '/proc/self/maps') if _opens(name)])
"""


@pytest.mark.parametrize(
    "class_body",
    [
        pytest.param("escape()", id="the body of the class"),
        pytest.param("def f(self, x=escape()): pass", id="a default value"),
        pytest.param("def f(self, x: escape() = 0): pass", id="an annotation"),
        pytest.param("@(lambda f: escape() or f)\ndef f(self): pass", id="a decorator"),
        pytest.param(
            "class Meta(type):\n    def __new__(*a): escape(); return type.__new__(*a)\nclass X(metaclass=Meta): pass",
            id="a metaclass",
        ),
        pytest.param("class X:\n    def __init_subclass__(cls): escape()\nclass Y(X): pass", id="__init_subclass__"),
        pytest.param("class X:\n    def __set_name__(self, *a): escape()\nattribute = X()", id="__set_name__"),
        pytest.param("class X:\n    def __del__(self): escape()\nX()", id="__del__"),
        pytest.param(
            "import weakref, gc\nclass X: pass\nweakref.finalize(X(), escape)\ngc.collect()", id="a finalizer"
        ),
        pytest.param(
            "import gc\ngc.callbacks.append(lambda *a: (gc.callbacks.clear(), escape()))\ngc.collect()",
            id="the garbage collector",
        ),
        pytest.param("sys.settrace(lambda *a: (sys.settrace(None), escape()) and None)\n(lambda: 0)()", id="settrace"),
        pytest.param("sys.setprofile(lambda *a: (sys.setprofile(None), escape()) and None)\nlen('')", id="setprofile"),
        pytest.param(
            "sys.unraisablehook = lambda *a: escape()\nclass X:\n    def __del__(self): raise OSError\nX()",
            id="unraisablehook",
        ),
        pytest.param(
            "signal.signal(signal.SIGUSR1, lambda *a: escape())\nsignal.raise_signal(signal.SIGUSR1)", id="a signal"
        ),
        pytest.param("threading.Thread(target=escape).start()\ntime.sleep(0.1)", id="a thread"),
        pytest.param("exec(compile('escape()', 'x', 'exec'))", id="compiled code"),
        pytest.param(
            "ctypes.pythonapi.PyRun_SimpleString(b'import __main__; print(\"ran []\")')", id="the C interface"
        ),
        pytest.param(
            "open('late.py', 'w').write('import submission; submission.escape()')\nsys.path.insert(0, os.getcwd())\nimport late",
            id="an import",
        ),
    ],
)
def test_code_is_behind_the_wall_whenever_it_runs(attack, class_body):
    report = attack(top=OPENS, class_body=class_body)
    assert report.output.stdout.startswith("ran []\n")
    assert report.status == "passed"


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            b"# -*- coding: unicode_escape -*-\n# \\u000aprint('ran')\nclass LSTM: pass", id="a coding that hides code"
        ),
        pytest.param(b"# -*- coding: rot13 -*-\npynff YFGZ: cnff", id="a coding that is none"),
        pytest.param(b"class LSTM:\n    x = " + b"(" * 5000 + b")" * 5000, id="brackets"),
        pytest.param(b"class LSTM:\n    x = " + b"-" * 100_000 + b"1", id="minus signs"),
        pytest.param(b"class LSTM:\n    x = " + b"1+" * 100_000 + b"1", id="a long sum"),
        pytest.param(b"class LSTM:\n    x = 9 ** 9 ** 9", id="a constant to fold"),
        pytest.param(b"class LSTM:\n    x = 'x' * (1 << 40)", id="a text to fold"),
        pytest.param(b"class LSTM:\n    x = f'" + b'{f"' * 200 + b"x" + b'"}' * 200 + b"'", id="nested f-strings"),
        pytest.param(
            b"class LSTM:\n" + b"".join(b" " * n + b"if 1:\n" for n in range(1, 300)) + b" " * 300 + b"pass",
            id="indentation",
        ),
        pytest.param(b"class LSTM(" + b", ".join(b"object" for _ in range(100_000)) + b"): pass", id="many bases"),
        pytest.param(b"import " + b"a." * 50_000 + b"b\nclass LSTM: pass", id="a long import"),
        pytest.param(
            b"def f():\n    " + b"; ".join(b"x%d = 0" % n for n in range(70_000)) + b"\nclass LSTM: f()",
            id="many names",
        ),
        pytest.param(b"class LSTM:\n    x = 0x" + b"f" * 10_000_000, id="a huge number"),
        pytest.param(b"\x80\x04\x95" + b"\x00" * 1000, id="a pickle"),
        pytest.param(b"PK\x03\x04" + b"\x00" * 1000, id="an archive"),
        pytest.param(b"\x7fELF" + b"\x00" * 1000, id="a program"),
        pytest.param(b"\xff\xfe" + "class LSTM: pass".encode("utf-16-le"), id="UTF-16"),
    ],
)
def test_a_file_made_to_hurt_the_parser_ends_in_a_report(graded, attack, source):
    report = graded(Submission("submission.py", source), cpu_seconds=3)
    assert report.status not in ("internal_error", "passed")
    assert report.points == 0
    attack()  # an honest one after it


# --- the runner, rewritten under its own feet -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("sys.setrecursionlimit(10 ** 9)\ndef f(): f()\nf()", id="endless recursion"),
        pytest.param(
            "import faulthandler\nfaulthandler._stack_overflow() if hasattr(faulthandler, '_stack_overflow') else os.abort()",
            id="an overflow of the stack",
        ),
        pytest.param("sys.addaudithook(lambda *a: 1 / 0)", id="an audit hook that raises"),
        pytest.param("ctypes.memset(id(None), 0, 16)", id="None, overwritten"),
        pytest.param("ctypes.memset(id(int), 0xff, 400)", id="int, overwritten"),
        pytest.param(
            "frame = sys._getframe()\nwhile frame.f_back: frame = frame.f_back\nframe.f_globals.clear()",
            id="the warm process' names",
        ),
        pytest.param(
            "import gc\n[o.close() for o in gc.get_objects() if type(o).__name__ in ('socket', 'EpollSelector')]",
            id="the warm process' sockets",
        ),
        pytest.param("sys.modules['__main__'].Supervisor.serve(None)", id="a second supervisor"),
        pytest.param("sys.modules['__main__'].main()", id="a second warm process"),
        pytest.param("sys.modules['lockdown'].prepare(['landlock', 'seccomp'])", id="the wall, once more"),
        pytest.param("sys.modules['lockdown']._shared_filter.reset()", id="the filter, emptied"),
        pytest.param("raise sys.modules['driver'].Failed", id="the runner's own exception"),
        pytest.param("import builtins\nbuiltins.__import__ = None", id="no imports"),
        pytest.param("sys.modules['tripwires'].fired = None", id="the tripwires"),
    ],
)
def test_who_rewrites_the_runner_hurts_nobody_else(attack, call):
    """Whatever becomes of the run, it is a report, and the next submission gets full marks."""
    report = attack(call=call)
    assert report.status in ("passed", "failed", "runtime_error", "invalid_output", "time_limit", "memory_limit")
