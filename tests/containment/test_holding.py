"""Code that holds an attempt for a teacher, and habits of honest code that look like it and must not."""

import pytest

PIPE = (
    "os.dup2(1, 3)",
    "import posix; posix.dup2(1, 3)",
    "os.closerange(3, 20)",
    "os.write(3, b'')",
    "kept = os.dup(3)",
    "pipe = os.fdopen(3, 'wb', closefd=False)",
    "pipe = open(3, 'wb', closefd=False)",
)
MODULES = (
    "from driver import recorded; recorded.STEPS_OF_ALL_PATHS",
    "from driver.built_in.no_recurrence import ran; ran.clear()",
    "sys.modules['frames'].frame({})",
    "vars(sys.modules['driver.built_in.no_recurrence'])['ran'].clear()",
    "import importlib; importlib.import_module('driver.student.student_module').MODULE_NAME",
    "sys.modules['driver.asking'].SEED = 3",
)
# After other things that are told, which must not hide it.
NOISE = "\n".join(f"try: os.listdir('/etc/{n}')\nexcept OSError: pass" for n in range(30))

DECOYS = """
import contextlib, gc, inspect, io, logging, traceback, types, warnings, weakref, functools, importlib, linecache
logging.basicConfig(level=logging.DEBUG)
log = logging.getLogger("channel")
log.info("with its stack", stack_info=True)
gc.collect(); gc.disable(); gc.enable(); gc.get_count(); gc.get_threshold(); gc.freeze(); gc.unfreeze()
here = inspect.currentframe()
print(inspect.currentframe().f_lineno, here.f_code.co_name)
traceback.print_stack(); traceback.format_stack(limit=2); traceback.extract_stack()
inspect.stack()[0].function
warnings.warn("driver"); warnings.simplefilter("ignore"); warnings.filterwarnings("ignore", module="driver")
with contextlib.redirect_stdout(io.StringIO()) as out: print("reader")
with contextlib.redirect_stderr(io.StringIO()): print("reader", file=sys.stderr)
sys.stdout, kept_out = io.StringIO(), sys.stdout
print("hidden")
sys.stdout = kept_out
saved = [os.dup(fd) for fd in (1, 2)]
null = os.open("null", os.O_CREAT | os.O_WRONLY, 0o600)
os.dup2(null, 1); os.dup2(null, 2)
os.dup2(saved[0], 1); os.dup2(saved[1], 2)
os.close(null)
for fd in saved: os.close(fd)
os.write(1, b""); os.write(2, b"")
a, b = os.pipe()
os.write(b, b"x"); os.read(a, 1); os.close(a); os.close(b)
with os.fdopen(os.open("own.txt", os.O_CREAT | os.O_RDWR, 0o600), "w") as own: own.write("driver")
with open("own.txt") as own: own.read()
open("other.txt", "w").close()
names = sorted(sys.modules)
versions = {name: getattr(module, "__version__", None) for name, module in list(sys.modules.items())}
files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
has_own = [name for name, module in list(sys.modules.items()) if hasattr(module, "MY_OWN_NAME")]
spaces = [len(vars(module)) for module in list(sys.modules.values()) if hasattr(module, "__dict__")]
"keras" in sys.modules; sys.modules.get("torch"); sys.modules[__name__]
importlib.invalidate_caches(); importlib.import_module("json"); importlib.reload(linecache)
objects = len(gc.get_objects())
tensors = [each for each in gc.get_objects() if isinstance(each, tf.Tensor)]
try: 1 / 0
except ZeroDivisionError: traceback.print_exc(); kept = sys.exc_info()[0]
try: raise ValueError("zygote")
except ValueError as exc: logging.exception("driver"); line = exc.__traceback__.tb_lineno
try: import torch
except ImportError: torch = None
try: import tqdm
except ImportError: tqdm = None
driver, channel, roles, phases, contents, reader = "a", [3], {3: 3}, 3.0, {"driver"}, lambda: 3
class Driver: request, channel = 3, 3
class Channel:
    def write(self, fd): return fd
Channel().write(3); Driver().request
print(3, flush=True); range(3); list(range(3, 20)); [3][0]; {"fd": 3}
def trace(frame, event, argument, counts={}): counts[event] = counts.get(event, 0) + 1
sys.setprofile(trace); sum([1, 2]); sys.setprofile(None)
sys.getrefcount(tf); sys.getsizeof(tf); sys.getrecursionlimit(); sys.setrecursionlimit(3000); sys.intern("driver")
sys.version_info; sys.argv; sys.path.append("."); sys.executable; sys.platform; sys.flags
os.getcwd(); os.getpid(); os.environ.get("HOME"); os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"; os.cpu_count(); os.sep
os.path.exists("driver.py"); os.path.join("a", "b"); os.makedirs("out", exist_ok=True); os.listdir(".")
threading.Thread(target=lambda: None).start(); threading.enumerate(); threading.current_thread().name
time.time(); time.perf_counter(); time.sleep(0)
signal.getsignal(signal.SIGINT); signal.signal(signal.SIGINT, signal.default_int_handler)
struct.pack("<II", 1, 2); json.dumps({"event": "done"}); ctypes.c_int(3)
functools.lru_cache(maxsize=3)(len)("abc"); weakref.ref(LSTMCell); types.SimpleNamespace(driver=3)
@functools.wraps(len)
def wrapped(*given): return len(*given)
def caller(): return sys._getframe().f_code.co_name
caller(); inspect.signature(caller); inspect.getmodule(caller); inspect.getfile(caller)
def logged(function):
    @functools.wraps(function)
    def inner(*given, **options):
        logging.debug("calls %s", function.__name__)
        return function(*given, **options)
    return inner
tf.get_logger().setLevel("ERROR"); tf.random.set_seed(3); np.random.seed(3)
tf.config.list_physical_devices(); tf.keras.backend.clear_session(); tf.autograph.set_verbosity(0)
np.set_printoptions(precision=3); np.seterr(all="ignore")
"""


@pytest.mark.parametrize(
    ("variant", "touches"),
    [
        ("pipe", PIPE[::3]),
        ("modules", MODULES[::3]),
        pytest.param("pipe", PIPE, marks=pytest.mark.thorough),
        pytest.param("modules", MODULES, marks=pytest.mark.thorough),
    ],
)
def test_touching_what_belongs_to_the_grader_holds_the_attempt(graded, written, variant, touches):
    for code in touches:
        report = graded(written(class_body=f"{NOISE}\n{code}" if "dup2" in code else code))
        held = [advisory for advisory in report.advisories if advisory.code == "attack_on_grader"]
        assert [advisory.params["variant"] for advisory in held] == [variant], (code, report.error)
        assert held[0].line, code


@pytest.mark.parametrize(
    "place", ["before the class", "in the class", pytest.param("in every call", marks=pytest.mark.thorough)]
)
def test_code_that_only_looks_like_it_is_not_held(graded, written, place):
    """A hundred habits of honest notebooks, each of them where it would be noticed."""
    if place == "before the class":
        given = written(top=DECOYS, class_body="everything = " + USES)
    elif place == "in the class":
        given = written(class_body=DECOYS.replace("sys.modules[__name__]", "0"))
    else:
        given = written(top=f"import types\nCODE = {DECOYS!r}", call="exec(CODE, {**globals()})")
    report = graded(given, cpu_seconds=30, wall_seconds=60.0)
    assert not report.is_held, report.advisories
    assert (report.status, report.points) == ("passed", 100), (report.error, report.output.stderr[-2000:])


# Unused code is not run.
USES = (
    "(log, here, out, kept_out, saved, null, a, own, names, versions, files, has_own, spaces, objects, tensors, kept)"
)
