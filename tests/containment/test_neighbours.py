"""Submissions that go for what is around them: processes, files, the network, the next submission."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import grader

OURS = Path(grader.__file__).parent


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("os.fork()", id="fork"),
        pytest.param("os.posix_spawn('/bin/true', ['true'], {})", id="spawn"),
        pytest.param("os.execv('/bin/true', ['true'])", id="exec"),
        pytest.param("__import__('subprocess').run('true', shell=True)", id="shell"),
        pytest.param("__import__('multiprocessing').Process(target=print).start()", id="multiprocessing"),
        pytest.param("os.kill(os.getppid(), signal.SIGKILL)", id="kill the warm process"),
        pytest.param("os.kill(os.getppid(), signal.SIGSTOP)", id="stop the warm process"),
        pytest.param("os.kill(os.getppid(), 0)", id="ask whether the warm process lives"),
        pytest.param("os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)", id="kill the warm process' group"),
        pytest.param("signal.pidfd_send_signal(os.pidfd_open(os.getppid()), signal.SIGKILL)", id="kill by pidfd"),
        pytest.param("open(f'/proc/{os.getppid()}/mem', 'rb')", id="memory of the warm process"),
        pytest.param("open(f'/proc/{os.getppid()}/environ', 'rb')", id="environment of the warm process"),
        pytest.param("os.setuid(0)", id="become root"),
        pytest.param("os.setpriority(os.PRIO_PROCESS, 0, -5)", id="take more of the processor"),
        pytest.param("__import__('socket').socket()", id="socket"),
        pytest.param("__import__('socket').socketpair()", id="socket pair"),
        pytest.param("__import__('urllib.request').request.urlopen('http://127.0.0.1:8000')", id="HTTP"),
        pytest.param("open('/etc/passwd')", id="a file of the system"),
        pytest.param("os.listdir('/')", id="the root directory"),
        pytest.param("os.listdir('..')", id="directories of other runs"),
        pytest.param(f"open({str(OURS / 'pipeline.py')!r})", id="the grader's source"),
        pytest.param(f"sys.path.append({str(OURS.parent)!r}); import grader", id="import of the grader"),
        pytest.param(f"sys.path.append({str(OURS.parent)!r}); import reference", id="import of the reference"),
        pytest.param(f"open({str(OURS / 'assignments' / 'lstm-layer.toml')!r})", id="the assignment"),
        pytest.param("open('/tmp/lstm-grader-was-here', 'w')", id="a file outside"),
        pytest.param("open('../was-here', 'w')", id="a file beside its directory"),
        pytest.param("os.symlink('/etc', 'link')", id="symbolic link"),
        pytest.param("os.link('submission.py', 'link')", id="hard link"),
        pytest.param("os.mkfifo('fifo')", id="fifo"),
        pytest.param("os.chmod('submission.py', 0o777)", id="chmod"),
        pytest.param("os.memfd_create('x')", id="memory that has no limit"),
        pytest.param("open('/dev/shm/x', 'w')", id="shared memory"),
    ],
)
def test_what_a_submission_has_no_need_for_is_refused(attack, action):
    report = attack(
        class_body=f"""
try:
    {action}
except (OSError, ImportError):
    print('refused')
else:
    print('done')
"""
    )
    assert report.output.stdout == "refused\n"
    assert (report.status, report.points) == ("passed", 100)


def test_threads_that_never_end_do_not_keep_a_run_open(attack):
    report = attack(class_body="threading.Thread(target=time.sleep, args=[1000]).start()")
    assert (report.status, report.points) == ("passed", 100)


# --- what one run changes stays in that run ---------------------------------------------------------------------------


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
    ],
)
def test_what_a_submission_changes_does_not_reach_the_next_one(attack, class_body):
    report = attack(class_body=class_body)
    assert report.status != "internal_error"


def test_functions_that_compare_are_not_the_ones_that_judge(attack):
    report = attack(
        class_body="np.abs = np.absolute = np.allclose = np.array_equal = lambda *a, **k: np.zeros(())",
        call="return tf.zeros((x.shape[0], x.shape[1], self.h_size))",
    )
    assert (report.status, report.points) == ("failed", 10)


def test_the_run_directory_is_private_and_gone_afterwards(attack):
    report = attack(
        class_body="""
        open('mine', 'w').write('x')
        os.makedirs('a/' * 100)
        print(os.getcwd(), oct(os.stat('.').st_mode & 0o777))
        """
    )
    directory, mode = report.output.stdout.split()
    assert mode == "0o700"
    assert not os.path.exists(directory)
