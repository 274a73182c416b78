"""Submissions that go for what is around them: processes, the warm process, the next submission."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

# Without seccomp a submission can still start processes, signal its parent, open sockets and read any file that the
# service may read: the tests here say what is held even so. See docs/threat-model.md for what is not.


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def _all_gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not any(map(_is_running, pids)):
            return True
        time.sleep(0.05)
    return False


DAEMON = """
def daemon(depth):
    if os.fork() == 0:
        os.setsid()
        if depth and os.fork() == 0:
            daemon(depth - 1)
            time.sleep(1000)
            os._exit(0)
        open(f'{witness}/{{os.getpid()}}', 'w').close()
        time.sleep(1000)
        os._exit(0)
"""


@pytest.mark.parametrize("depth", [0, 1, 3], ids=["a child", "a grandchild", "a chain of daemons"])
def test_processes_that_a_run_leaves_behind_are_killed(attack, tmp_path, depth):
    report = attack(top=DAEMON.format(witness=tmp_path), class_body=f"daemon({depth})\ntime.sleep(0.5)")
    assert (report.status, report.points) == ("passed", 100)
    pids = [int(path.name) for path in tmp_path.iterdir()]
    assert pids
    assert _all_gone(pids)


def test_children_that_hold_the_pipes_do_not_keep_a_run_open(attack):
    started = time.monotonic()
    report = attack(class_body="if os.fork() == 0:\n    time.sleep(1000)\n    os._exit(0)")
    assert (report.status, report.points) == ("passed", 100)
    assert time.monotonic() - started < 10


def test_threads_that_never_end_do_not_keep_a_run_open(attack):
    report = attack(class_body="threading.Thread(target=time.sleep, args=[1000]).start()")
    assert (report.status, report.points) == ("passed", 100)


def test_a_run_whose_warm_process_dies_is_graded_again(attack, box, tmp_path):
    marker = tmp_path / "first"
    report = attack(
        class_body=f"""
        try:
            os.close(os.open({str(marker)!r}, os.O_CREAT | os.O_EXCL))
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(10)
        except FileExistsError:
            pass
        """
    )
    assert marker.exists()
    assert (report.status, report.points) == ("passed", 100)


def test_a_submission_that_kills_every_warm_process_gets_no_grade(attack):
    report = attack(class_body="os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(10)")
    assert report.status == "internal_error"
    assert report.points is None


def test_a_warm_process_that_dies_takes_no_other_run_with_it(attack, graded):
    from concurrent.futures import ThreadPoolExecutor

    from grader.submission import Submission

    slow = "import time\nimport tensorflow as tf\nclass LSTM(tf.keras.Model):\n    time.sleep(1.5)\n" + HONEST_BODY
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(graded, Submission("submission.py", slow.encode()))
        time.sleep(0.8)
        attack(class_body="os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(10)")
        assert (other.result().status, other.result().points) == ("passed", 100)


HONEST_BODY = """
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


@pytest.mark.parametrize(
    "class_body",
    [
        pytest.param("tf.stack = tf.zeros = tf.tanh = lambda *a, **k: None", id="tf functions"),
        pytest.param("np.asarray = np.array = lambda *a, **k: None", id="np functions"),
        pytest.param("sys.modules.clear()", id="sys.modules"),
        pytest.param("import builtins\nbuiltins.len = builtins.print = lambda *a: 0", id="builtins"),
        pytest.param("tf.keras.layers.Dense.call = lambda self, x: x", id="Dense"),
        pytest.param("os.environ.clear()\nos.environ['TF_USE_LEGACY_KERAS'] = '1'", id="environment"),
        pytest.param("json.dumps = lambda *a, **k: '{}'", id="the runner's JSON"),
        pytest.param("sys.path.insert(0, os.getcwd())\nopen('parts.py', 'w').write('raise SystemExit')", id="files"),
        pytest.param(
            "import gc\nfor o in gc.get_objects():\n    if type(o) is dict: o.pop('np', None)", id="whatever gc finds"
        ),
        pytest.param(
            "sys.modules['driver'].Driver._case = sys.modules['channel'].Channel.send = lambda *a, **k: None",
            id="the runner",
        ),
        pytest.param(
            "tf.config.run_functions_eagerly(True)\ntf.random.set_seed(0)\ntf.keras.backend.set_floatx('float16')",
            id="settings",
        ),
        pytest.param("os.chdir('/')\nos.umask(0)", id="working directory"),
    ],
)
def test_what_a_submission_changes_does_not_reach_the_next_one(attack, class_body):
    report = attack(class_body=class_body)
    assert report.status != "internal_error"


def test_a_patched_warm_module_cannot_judge_itself(attack):
    """The comparison is outside: patching every function that compares changes nothing."""
    report = attack(
        class_body="np.abs = np.absolute = np.allclose = np.array_equal = lambda *a, **k: np.zeros(())",
        call="return tf.zeros((x.shape[0], x.shape[1], self.h_size))",
    )
    assert report.status == "failed"
    assert report.points == 10


def test_the_run_directory_is_private_and_gone_afterwards(attack):
    report = attack(class_body="open('mine', 'w').write('x')\nprint(os.getcwd(), oct(os.stat('.').st_mode & 0o777))")
    directory, mode = report.output.stdout.split()
    assert mode == "0o700"
    assert not os.path.exists(directory)


def test_a_run_directory_that_is_locked_is_removed_all_the_same(attack):
    report = attack(
        class_body="""
        os.makedirs('a/' * 100)
        os.chmod('a', 0)
        os.symlink('/etc', 'link')
        os.mkfifo('fifo')
        print(os.getcwd())
        """
    )
    assert not os.path.exists(report.output.stdout.strip())
    assert os.path.isdir("/etc")
