"""Submissions that go for what is around them: processes, files, the network, the next submission."""

from __future__ import annotations

import json
import os
from pathlib import Path

import grader

OURS = Path(grader.__file__).parent


# One thing each that a submission has no business with; the modules of wall/ go through them kind by kind.
ACTIONS = {
    "fork": "os.fork()",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "exec": "os.execv('/bin/true', ['true'])",
    "shell": "__import__('subprocess').run('true', shell=True)",
    "multiprocessing": "__import__('multiprocessing').Process(target=print).start()",
    "kill the warm process": "os.kill(os.getppid(), signal.SIGKILL)",
    "stop the warm process": "os.kill(os.getppid(), signal.SIGSTOP)",
    "ask whether the warm process lives": "os.kill(os.getppid(), 0)",
    "kill the warm process' group": "os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)",
    "kill by pidfd": "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), signal.SIGKILL)",
    "memory of the warm process": "open(f'/proc/{os.getppid()}/mem', 'rb')",
    "environment of the warm process": "open(f'/proc/{os.getppid()}/environ', 'rb')",
    "become root": "os.setuid(0)",
    "take more of the processor": "os.setpriority(os.PRIO_PROCESS, 0, -5)",
    "socket": "__import__('socket').socket()",
    "socket pair": "__import__('socket').socketpair()",
    "HTTP": "__import__('urllib.request').request.urlopen('http://127.0.0.1:8000')",
    "a file of the system": "open('/etc/passwd')",
    "the root directory": "os.listdir('/')",
    "directories of other runs": "os.listdir('..')",
    "the grader's source": f"open({str(OURS / 'pipeline.py')!r})",
    "import of the grader": f"sys.path.append({str(OURS.parent)!r}); import grader",
    "import of the reference": f"sys.path.append({str(OURS.parent)!r}); import reference",
    "the assignment": f"open({str(OURS / 'assignments' / 'lstm-layer.toml')!r})",
    "a file outside": "open('/tmp/lstm-grader-was-here', 'w')",
    "a file beside its directory": "open('../was-here', 'w')",
    "symbolic link": "os.symlink('/etc', 'link')",
    "hard link": "os.link('submission.py', 'link')",
    "fifo": "os.mkfifo('fifo')",
    "chmod": "os.chmod('submission.py', 0o777)",
    "memory that has no limit": "os.memfd_create('x')",
    "memory shared between processes": "mmap.mmap(-1, 4096)",
    "shared memory": "open('/dev/shm/x', 'w')",
}


def test_a_submission_is_refused_whatever_it_does_not_need(attack):
    report = attack(
        class_body=f"""
        done = []
        for name, action in {ACTIONS!r}.items():
            try:
                exec(action, globals())
            except (OSError, ImportError):
                continue
            done.append(name)
        print(json.dumps(done))
        """
    )
    assert json.loads(report.output.stdout) == []
    assert (report.status, report.points) == ("passed", 100)


def test_threads_that_never_end_do_not_keep_a_run_open(attack):
    report = attack(class_body="threading.Thread(target=time.sleep, args=[1000]).start()")
    assert (report.status, report.points) == ("passed", 100)


# --- what one run changes stays in that run ---------------------------------------------------------------------------


CHANGES = {
    "tf functions": "tf.stack = tf.zeros = tf.tanh = lambda *a, **k: None",
    "np functions": "np.asarray = np.array = lambda *a, **k: None",
    "sys.modules": "sys.modules.clear()",
    "builtins": "import builtins\nbuiltins.len = builtins.print = lambda *a: 0",
    "Dense": "tf.keras.layers.Dense.call = lambda self, x: x",
    "environment": "os.environ.clear()\nos.environ['TF_USE_LEGACY_KERAS'] = '1'",
    "the runner's JSON": "json.dumps = lambda *a, **k: '{}'",
    "files": "sys.path.insert(0, os.getcwd())\nopen('roles.py', 'w').write('raise SystemExit')",
    "whatever gc finds": "import gc\nfor o in gc.get_objects():\n    if type(o) is dict: o.pop('np', None)",
    "the runner": (
        "sys.modules['driver.asking'].Driver._ask = sys.modules['channel'].Channel.send = lambda *a, **k: None"
    ),
    "settings": "tf.config.run_functions_eagerly(True)\ntf.keras.backend.set_floatx('float16')\nos._exit(0)",
}


def test_changes_by_a_submission_do_not_reach_the_next_one(attack):
    """Each of them would show in the honest one after all of them."""
    for name, body in CHANGES.items():
        assert attack(class_body=body).status != "internal_error", name


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
        os.makedirs('a/' * 10)
        print(os.getcwd(), oct(os.stat('.').st_mode & 0o777))
        """
    )
    directory, mode = report.output.stdout.split()
    assert mode == "0o700"
    assert not os.path.exists(directory)
