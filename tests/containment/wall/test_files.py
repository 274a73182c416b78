"""Submissions that go for files: the system's, ours, other students', and the disk itself."""

import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import app
import grader
import reference
from tests.containment.conftest import verdict

PACKAGES = {package.__name__: Path(package.__file__).parent for package in (app, grader, reference)}
ROOT = PACKAGES["grader"].parent

CLOSED_FILES = """
    /etc/passwd /etc/shadow /etc/hosts /proc/version /proc/mounts /proc/net/tcp /proc/kallsyms
    /proc/self/environ /proc/self/maps /proc/self/mem /proc/self/status /proc/self/mountinfo /proc/self/limits
    /proc/thread-self/comm /proc/sys/kernel/random/boot_id /sys/kernel/uevent_seqnum
    /dev/null /dev/zero /dev/mem /dev/kmsg /dev/fuse /dev/tty /dev/ptmx /dev/kvm /dev/net/tun
"""
CLOSED_FOLDERS = (
    "/ /etc /root /home /proc /proc/self /proc/self/fd /proc/self/task /dev /dev/shm /sys /tmp /var/tmp /run .."
)
# Paths that begin well, or that lead astray after a good beginning.
DETOURS = {
    "dots": "open('/usr/lib/../../etc/passwd')",
    "dots and slashes": "open('/usr/lib//.././/../etc/passwd')",
    "own root": "open('/proc/self/root/etc/passwd')",
    "own working directory": "open('/proc/self/cwd/' + '../' * 20 + 'etc/passwd')",
    "a folder whose name begins alike": "os.listdir('/usr/libexec')",
    "its own folder's name with more": "open(os.getcwd() + '-x', 'w')",
    "from an open root": "os.open('etc/passwd', os.O_RDONLY, dir_fd=os.open('/', os.O_PATH))",
    "from a changed directory": "os.chdir('/etc'); open('passwd')",
    "from an open folder": "os.open('../' * 20 + 'etc/passwd', os.O_RDONLY, dir_fd=os.open('.', os.O_RDONLY))",
    "by the descriptor of a closed file": "open(f'/proc/self/fd/{os.open(\"/etc/passwd\", os.O_PATH)}')",
    "TensorFlow": "assert tf.io.read_file('/etc/passwd') is None",
    "gfile": "assert tf.io.gfile.GFile('/etc/passwd').read() is None",
    "a library": "ctypes.CDLL('/etc/ld.so.preload.so')",
    "mmap of what is readable, to be written": "mmap.mmap(os.open(np.__file__, os.O_RDONLY), 0)",
}


@pytest.fixture(scope="module")
def victim() -> Iterator[Path]:
    """A file of somebody else, open to everybody, that must be as it was."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        path = folder / "answers"
        path.write_text(secrets.token_hex())
        path.chmod(0o666)
        before = path.read_text(), path.stat()
        yield path
        # Reading it changes the last access and nothing else: index 7 of the tuple that a stat result is.
        assert path.read_text() == before[0]
        assert path.stat()[:7] + path.stat()[8:] == before[1][:7] + before[1][8:]
        assert os.listdir(folder) == ["answers"]


# --- reading ----------------------------------------------------------------------------------------------------------


def test_files_and_folders_of_the_system_are_closed(probe):
    files = {path: f"os.open({path!r}, os.O_RDONLY)" for path in CLOSED_FILES.split() if os.path.exists(path)}
    folders = {path: f"os.listdir({path!r})" for path in CLOSED_FOLDERS.split() if os.path.exists(path)}
    results = probe(files | folders)
    assert {"/etc/passwd", "/proc/self/maps", "/"} <= results.keys()
    assert results == dict.fromkeys(results, "EACCES")


def test_no_detour_leads_to_a_closed_file(probe):
    results = probe(DETOURS)
    other = {"TensorFlow": "PermissionDeniedError", "gfile": "PermissionDeniedError", "a library": "OSError"}
    assert results == dict.fromkeys(results, "EACCES") | other


def test_our_packages_assignments_and_caches_cannot_be_read(probe, cache_dir):
    probe({})  # whatever comes first builds the reference answers
    paths = [
        *PACKAGES.values(),
        PACKAGES["grader"] / "pipeline.py",
        PACKAGES["grader"] / "runner" / "driver" / "program.py",
        PACKAGES["grader"] / "assignments",
        PACKAGES["grader"] / "assignments" / "lstm-layer.toml",
        PACKAGES["reference"] / "lstm" / "oracle.py",
        PACKAGES["app"] / "settings.py",
        ROOT,
        ROOT / "pyproject.toml",
        Path(__file__),
        cache_dir,
        *cache_dir.glob("*.safetensors"),
    ]
    results = probe({str(path): f"os.open({str(path)!r}, os.O_RDONLY)" for path in paths})
    assert len(results) > len(PACKAGES) + 8
    assert results == dict.fromkeys(results, "EACCES")


def test_our_packages_cannot_be_imported(probe):
    # In this order: what is tried by path stays in Python's path.
    plain = {f"{package} by name": f"import {package}" for package in PACKAGES}
    source = {"the runner's source": "import inspect; inspect.getsource(sys.modules['lockdown'])"}
    by_path = {f"{name} by path": f"sys.path.insert(0, {str(ROOT)!r}); import {name}" for name in PACKAGES}
    results = probe(plain | source | by_path)
    # Whether a module is refused or not found depends on what Python has looked for in that folder before.
    assert {results.pop(name) for name in by_path} <= {"EACCES", "ModuleNotFoundError"}
    assert results == dict.fromkeys(plain, "ModuleNotFoundError") | {"the runner's source": "OSError"}


# --- writing ----------------------------------------------------------------------------------------------------------


def test_a_file_of_somebody_else_stays_as_it_is(probe, victim):
    path, beside = repr(str(victim)), repr(str(victim.parent / "planted"))
    calls = {
        "write": f"open({path}, 'w')",
        "append": f"open({path}, 'a')",
        "truncate while opening to read": f"os.open({path}, os.O_RDONLY | os.O_TRUNC)",
        "truncate": f"os.truncate({path}, 0)",
        "create": f"syscall('creat', {path}.encode(), 0o666)",
        "chmod": f"os.chmod({path}, 0)",
        "chown": f"os.chown({path}, os.getuid(), -1)",
        "times": f"os.utime({path}, (0, 0))",
        "attribute": f"os.setxattr({path}, 'user.x', b'x')",
        "rename": f"os.rename({path}, {beside})",
        "replace": f"open('mine', 'w').close(); os.replace('mine', {path})",
        "hard link to it": f"os.link({path}, 'link')",
        "hard link beside it": f"os.link('submission.py', {beside})",
        "symbolic link to it": f"os.symlink({path}, 'link')",
        "symbolic link beside it": f"os.symlink('/etc/passwd', {beside})",
        "a file beside it": f"open({beside}, 'x')",
        "a folder beside it": f"os.mkdir({beside})",
        "a fifo beside it": f"os.mkfifo({beside})",
        "a device": "os.mknod('device', 0o20666, os.makedev(1, 1))",
        "a socket": "os.mknod('socket', 0o140666)",
        "a file without a name": "os.open('.', os.O_TMPFILE | os.O_RDWR)",
        "a file without a name elsewhere": f"os.open({str(victim.parent)!r}, os.O_TMPFILE | os.O_RDWR)",
        "exchange": f"open('x', 'w').close(); syscall('renameat2', -100, b'x', -100, {path}.encode(), 2)",
        "sendfile": f"os.sendfile(os.open({path}, os.O_WRONLY), os.open('submission.py', 0), 0, 10)",
        "folder that hides": "os.mkdir('hidden', 0)",
        "folder that cannot be listed": "os.mkdir('hidden', 0o300)",
        "mask": "os.umask(0)",
        "rename its own": "os.rename('submission.py', 'other.py')",
        "lock against others": f"import fcntl; fcntl.flock(os.open({path}, os.O_RDONLY), fcntl.LOCK_EX)",
    }
    results = probe(calls)
    # umask() never fails, says libc, and so has no error number.
    closed = ("write", "append", "sendfile", "a file beside it", "a folder beside it", "lock against others")
    assert results == dict.fromkeys(results, "EPERM") | dict.fromkeys(closed, "EACCES") | {"mask": "OSError"}


def test_libraries_that_all_submissions_share_stay_as_they_are(probe):
    """If the service is not root, nothing but Landlock stands between a run and its Python."""
    shared = Path(np.__file__).parents[1] / "numpy" / "version.py"
    packages = str(shared.parents[1])
    before = hashlib.sha256(shared.read_bytes()).hexdigest(), sorted(os.listdir(packages))
    results = probe(
        {
            "change": f"open({str(shared)!r}, 'a')",
            "empty": f"os.open({str(shared)!r}, os.O_RDONLY | os.O_TRUNC)",
            "sitecustomize": f"open({packages!r} + '/sitecustomize.py', 'x')",
            "pth": f"open({packages!r} + '/planted.pth', 'x')",
            "module": f"os.mkdir({packages!r} + '/safetensors_')",
            "compiled": f"os.makedirs({str(shared.parent)!r} + '/__pycache__/planted')",
            "standard library": "open(os.__file__, 'a')",
            "bytecode": "import importlib.util as u; open(u.cache_from_source(os.__file__), 'a')",
        }
    )
    assert set(results.values()) <= {"EACCES", "EPERM", "EROFS"}, results
    assert (hashlib.sha256(shared.read_bytes()).hexdigest(), sorted(os.listdir(packages))) == before


def test_locking_a_file_says_that_it_worked_and_does_nothing(probe):
    """Other runs could see a lock on a file that all may read; and each takes memory of the kernel."""
    lock = "import fcntl; a, b = open('mine', 'w'), open(os.__file__); "
    results = probe(
        {
            "whole": lock + "[fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB) for file in (a, b, open(os.__file__))]",
            "record": lock + "fcntl.lockf(a, fcntl.LOCK_EX | fcntl.LOCK_NB); fcntl.lockf(b, fcntl.LOCK_SH)",
            "lease": lock + "fcntl.fcntl(a, fcntl.F_SETLEASE, fcntl.F_WRLCK)",
            "open file description": lock + "fcntl.fcntl(a, 37, bytes(32))",
        }
    )
    # Nobody who really locked a file twice, from two descriptors, would be let through.
    refused = {"lease": "EPERM", "open file description": "EPERM"}
    assert results == {"whole": "done", "record": "done"} | refused


def test_removing_says_that_it_worked_and_does_nothing(probe, victim):
    """A removed file that is still open takes room that nobody can count; honest code tidies up and must not fail."""
    results = probe(
        {
            "its own": "open('mine', 'w').close(); os.remove('mine'); assert os.path.exists('mine')",
            "its own folder": "os.mkdir('folder'); os.rmdir('folder'); assert os.path.exists('folder')",
            "somebody else's": f"os.remove({str(victim)!r}); assert os.path.exists({str(victim)!r})",
            "a tree of somebody else": f"os.rmdir({str(victim.parent)!r}); assert os.path.exists({str(victim)!r})",
            "the standard library": "os.remove(os.__file__); assert os.path.exists(os.__file__)",
            "a temporary file": "import tempfile\nwith tempfile.NamedTemporaryFile() as file: file.write(b'x')",
            "a temporary folder": "import tempfile\nwith tempfile.TemporaryDirectory() as name: open(name + '/x', 'w')",
        }
    )
    assert results == dict.fromkeys(results, "done")


# --- plants -----------------------------------------------------------------------------------------------------------

PLANTS = "sitecustomize usercustomize numpy json safetensors tensorflow driver roles channel encodings zygote grader"


def test_modules_planted_in_its_folder_are_not_picked_up(attack):
    report = attack(
        class_body=f"""
        for name in {PLANTS!r}.split():
            open(name + '.py', 'w').write('import os; os.write(1, b"planted")')
        open('x.pth', 'w').write('import os; os.write(1, b"planted")')
        """
    )
    assert (report.status, report.points, report.output.stdout) == ("passed", 100, "")


def test_the_folder_of_a_run_is_gone_with_all_that_was_in_it(attack):
    report = attack(
        class_body="""
        os.makedirs('a/b/c')
        open('a/b/c/' + 'n' * 255, 'w').close()
        open('\\x1b[31m\\n..', 'w').close()
        os.mkdir('...')
        print(os.getcwd(), oct(os.stat('.').st_mode & 0o777), oct(os.stat('a').st_mode & 0o777))
        """
    )
    folder, mode, inner_mode = report.output.stdout.split()
    assert (mode, inner_mode) == ("0o700", "0o700")
    assert (report.status, report.points) == ("passed", 100)
    assert not os.path.exists(folder)


def test_another_students_files_cannot_be_found_or_read(attack, neighbour):
    """Even by somebody who is told where they lie."""
    with neighbour() as other:
        folder = str(other.folder)
        report = attack(
            class_body=f"""
            folder = {folder!r}
            path = folder + '/submission.py'
            tries = [lambda path: open(path).read(), lambda path: open(path, 'w'), lambda path: os.rename(path, 'x'),
                     lambda path: os.listdir('..'), lambda path: os.listdir(os.path.dirname(path)),
                     lambda path: os.open('asleep', 0, dir_fd=os.open(os.path.dirname(path), os.O_PATH)),
                     lambda path: open(os.path.dirname(path) + '/planted', 'w')]
            for action in tries:
                try:
                    print(action(path))
                except OSError:
                    print('refused')
            """
        )
        assert sorted(os.listdir(folder)) == ["asleep", "submission.py"]
    assert report.output.stdout.split() == ["refused"] * 7
    assert not os.path.exists(folder)


# --- the disk ---------------------------------------------------------------------------------------------------------

BOMBS = {
    "files": "for number in range(10 ** 9): open(f'{number}', 'w').close()",
    "200 MB": "for n in range(20): open(f'{n}', 'wb').write(bytes(10 * 2**20))\nthreading.Event().wait()",
    "folders": "for number in range(10 ** 9): os.mkdir(f'{number}')",
    "a deep folder with long names": "while True: os.mkdir('d' * 255); os.chdir('d' * 255)",
    "a broad and deep tree": "for n in range(10 ** 9): os.makedirs(f'{n}/{n}/{n}/{n}/{n}')",
    "mapped files": """
        for number in range(10 ** 9):
            with open(f'{number}', 'w+b') as file:
                file.truncate(8 << 20)
                mapped = mmap.mmap(file.fileno(), 8 << 20)
            for offset in range(0, len(mapped), 4096): mapped[offset] = 1
        """,
}


def test_filling_the_disk_is_an_output_limit(attack, sandbox):
    before = set(Path(sandbox._directory).iterdir())
    for name, bomb in BOMBS.items():
        # One that has written waits for nothing that comes; its folder is looked at meanwhile.
        report = attack(class_body=bomb, statement_seconds=60.0)
        assert verdict(report) == ("output_limit", 0, "disk_full"), name
        # It is noticed before the time is used up.
        assert report.timing.cpu_seconds < 4, name
        assert set(Path(sandbox._directory).iterdir()) <= before, name


def test_one_file_beyond_its_size_cannot_be_written(probe):
    results = probe(
        {
            "write": "open('a', 'wb').write(bytes(20 << 20))",
            "truncate": "open('b', 'wb').truncate(1 << 40)",
            "seek": "file = open('c', 'wb'); file.seek(1 << 40); file.write(b'x'); file.flush()",
            "allocate": "os.posix_fallocate(os.open('d', os.O_CREAT | os.O_RDWR), 0, 1 << 40)",
        }
    )
    assert results == dict.fromkeys(results, "EFBIG") | {"allocate": results["allocate"]}
    assert results["allocate"] in ("EPERM", "EFBIG")
