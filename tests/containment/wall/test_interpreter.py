"""Submissions that go for Python: code that runs when nobody expects it, and a runner that is rewritten under its feet.

And the other half of the promise: what honest code uses of Python, NumPy and TensorFlow works behind the wall.
"""

import json
from pathlib import Path

import grader
from grader.submission import Submission
from tests.containment.conftest import verdict

HONEST = {
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
        "made = tf.data.Dataset.from_generator(lambda: iter('abc'), output_signature=tf.TensorSpec((), tf.string))\n"
        "assert len(list(made)) == 3"
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
    "a temporary file": "import tempfile\nwith tempfile.NamedTemporaryFile() as file: file.write(b'x')",
    "time": "time.sleep(0.01)\ntime.strftime('%H:%M')\n__import__('datetime').datetime.now()",
    "a late import": "import sqlite3, decimal, xml.dom.minidom, zipfile\nimport tensorflow.python.ops.signal",
    "the platform": "import platform\nplatform.platform()\nos.cpu_count()\nos.uname()",
    "a compiled regular expression": "import re\nassert re.search('(?P<x>a+)b', 'caab')['x'] == 'aa'",
    "inspect": "import inspect\nassert 'def fit' in inspect.getsource(tf.keras.Model.fit)",
    "a traceback": "import traceback\ntry: 1 / 0\nexcept ZeroDivisionError: traceback.print_exc(file=open('t', 'w'))",
    "locale and time zone": "import locale\nlocale.setlocale(locale.LC_ALL, '')\ntime.tzset()",
}


def test_tools_of_honest_code_work_behind_the_wall(graded, probes):
    report = graded(probes(HONEST), statement_seconds=60.0, cpu_seconds=60)
    results = json.loads(report.output.stdout.splitlines()[-1])
    assert {name: outcome for name, outcome in results.items() if outcome != "done"} == {}
    assert (report.status, report.points) == ("passed", 100), report.error


def test_a_file_that_was_not_handed_in_is_missing_whatever_our_rooms_and_modules_are_called(probe):
    """``import weights`` must fail as it would on the student's machine, and not find a folder or a module of ours."""
    runner = Path(grader.__file__).parent / "runner"
    below = {path.stem for path in runner.rglob("*") if path.suffix == ".py" or path.is_dir()}
    # The driver and the modules on top are loaded; importing one is told to the teacher (test_holding).
    loaded = {"driver", *(path.stem for path in runner.glob("*.py"))} - {"zygote"}
    results = probe({name: f"import {name}" for name in below - loaded - {"__pycache__", "__init__"}})
    assert {"reader", "weights", "roles", "magics", "zygote"} <= set(results)
    assert results == dict.fromkeys(results, "ModuleNotFoundError")


# --- code that runs when nobody expects it ----------------------------------------------------------------------------

ESCAPE = """
reached = []

def escape(*_):
    reached.append([])
    for name in ('/etc/passwd', '..', '/proc/self/maps'):
        try:
            os.close(os.open(name, os.O_RDONLY))
            reached[-1].append(name)
        except OSError:
            pass
"""
MOMENTS = {
    "at once": "escape()",
    "a decorator": "@escape\ndef f(self): pass",
    "a metaclass": "class X(metaclass=escape): pass",
    "__init_subclass__": "class X: __init_subclass__ = escape\nclass Y(X): pass",
    "__del__": "class X: __del__ = escape\nX()",
    "a finalizer": "import weakref\nclass X: pass\nweakref.finalize(X(), escape)",
    "the garbage collector": "import gc\ngc.callbacks.append(escape)\ngc.collect()\ngc.callbacks.clear()",
    "settrace": "sys.settrace(escape)\n(lambda: 0)()\nsys.settrace(None)",
    "unraisablehook": "sys.unraisablehook = escape\nclass X:\n    def __del__(self): raise OSError\nX()",
    "a signal": "signal.signal(signal.SIGUSR1, escape)\nsignal.raise_signal(signal.SIGUSR1)",
    "a thread": "thread = threading.Thread(target=escape)\nthread.start()\nthread.join()",
    "the C interface": "ctypes.PYFUNCTYPE(None)(escape)()",
    "an import": (
        "open('late.py', 'w').write('import submission; submission.escape()')\nsys.path.insert(0, os.getcwd())\n"
        "import late"
    ),
    "a callback of TensorFlow": "tf.py_function(escape, [0], [])",
}


def test_code_is_behind_the_wall_whenever_it_runs(probe):
    """Each of them must have run, and must have reached nothing."""
    codes = {"": ESCAPE}
    for name, code in MOMENTS.items():
        codes[name] = f"{code}\nassert reached, 'it did not run'\nassert not any(reached)\nreached.clear()"
    results = probe(codes)
    assert results == dict.fromkeys(results, "done")


def test_collector_works_in_a_run_and_leaves_alone_what_the_warm_process_has_made(probe):
    """The warm process rests it during its imports. Looking at their objects would copy their pages in every run."""
    codes = {"it works": "import gc; assert gc.isenabled()", "it leaves them": "assert gc.get_freeze_count() > 100_000"}
    results = probe(codes)
    assert results == dict.fromkeys(codes, "done")


HURTFUL = {
    "a coding that hides code": b"# -*- coding: unicode_escape -*-\n# \\u000aprint('ran')\nclass LSTM: pass",
    "brackets": b"class LSTM:\n    x = " + b"(" * 5000 + b")" * 5000,
    "minus signs": b"class LSTM:\n    x = " + b"-" * 100_000 + b"1",
    "a long sum": b"class LSTM:\n    x = " + b"1+" * 100_000 + b"1",
    "a constant to fold": b"class LSTM:\n    x = 9 ** 9 ** 9",
    "nested f-strings": b"class LSTM:\n    x = f'" + b'{f"' * 200 + b"x" + b'"}' * 200 + b"'",
    "indentation": (b"class LSTM:\n" + b"".join(b" " * n + b"if 1:\n" for n in range(1, 300)) + b" " * 300 + b"pass"),
    "a huge number": b"class LSTM:\n    x = 0x" + b"f" * 1_000_000,
    "UTF-16": b"\xff\xfe" + "class LSTM: pass".encode("utf-16-le"),
}


def test_a_file_made_to_hurt_the_parser_ends_in_a_report(graded, attack):
    for name, source in HURTFUL.items():
        report = graded(Submission("submission.py", source), cpu_seconds=3)
        assert report.status not in ("internal_error", "passed"), name
        assert report.points == 0, name


# --- the runner, rewritten under its own feet -------------------------------------------------------------------------


REWRITES = {
    "endless recursion": "sys.setrecursionlimit(10 ** 9)\ndef f(): f()\nf()",
    "an audit hook that raises": "sys.addaudithook(lambda *a: 1 / 0)",
    "None, overwritten": "ctypes.memset(id(None), 0, 16)",
    "the warm process' names": (
        "frame = sys._getframe()\nwhile frame.f_back: frame = frame.f_back\nframe.f_globals.clear()"
    ),
    "the warm process' sockets": (
        "import gc\n[o.close() for o in gc.get_objects() if type(o).__name__ in ('socket', 'EpollSelector')]"
    ),
    "a second supervisor": "sys.modules['__main__'].Supervisor.serve(None)",
    "the wall, once more": "sys.modules['lockdown'].prepare(['landlock', 'seccomp'])",
}


def test_a_submission_that_rewrites_the_runner_hurts_nobody_else(attack):
    """Whatever becomes of the run, it is a report, and the next submission gets full marks."""
    reports = ("passed", "failed", "runtime_error", "invalid_output", "time_limit", "memory_limit")
    found = {name: verdict(attack(call=call, wall_seconds=10.0)) for name, call in REWRITES.items()}
    assert {name: seen for name, seen in found.items() if seen[0] not in reports} == {}
