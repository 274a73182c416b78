"""Submissions that look at their open files: what they inherited, what they can make of it, how many they can have."""

import json

from tests.containment.conftest import verdict

# What else fcntl() and ioctl() can do with a descriptor; none of it is for a submission.
FCNTL = {
    "owner of signals": "(3, 8, os.getppid())",
    "which signal": "(3, 10, 9)",
    "owner as a structure": "(3, 15, 0)",
    "a lease": "(0, 1024, 0)",
    "notify of changes": "(0, 1026, 1)",
    "size of a pipe": "(3, 1031, 1 << 30)",
    "seals": "(3, 1033, 1)",
    "a hint": "(3, 1036, bytes(8))",
    "lock of an open file": "(3, 37, bytes(32))",
    "duplicate and ask": "(3, 1027, 0)",
    "byte by byte": "(1, 4, os.O_DIRECT | os.O_WRONLY)",
    "signals on a pipe": "(1, 4, os.O_ASYNC | os.O_WRONLY)",
}
# Ways to open a file that make others work: whoever reads the pipe, and the disk.
UNBUFFERED = {
    "pipe, byte by byte": "os.open('/proc/self/fd/1', os.O_WRONLY | os.O_DIRECT)",
    "file, direct": "os.open('mine', os.O_CREAT | os.O_RDWR | os.O_DIRECT)",
    "file, synchronous": "os.open('mine', os.O_CREAT | os.O_RDWR | os.O_SYNC)",
    "file, data synchronous": "os.open('mine', os.O_CREAT | os.O_RDWR | os.O_DSYNC)",
    "everything, to the disk": "syscall('sync')",
    "the file system": "syscall('syncfs', 3)",
    "a range": "syscall('sync_file_range', 3, 0, 0, 7)",
}
IOCTL = {
    "type into a terminal": "(1, 0x5412, b'x')",
    "selection of a console": "(1, 0x541C, b'\\x02')",
    "own the terminal": "(0, 0x540E, 0)",
    "signals on a descriptor": "(3, 0x5452, bytes([1, 0, 0, 0]))",
    "group of a descriptor": "(3, 0x8901, bytes(4))",
    "attributes of a file": "(os.open('.', 0), 0x40086602, bytes(8))",
    "clone a file": "(3, 0x40049409, 0)",
    "freeze a file system": "(os.open('.', 0), 0xC0045877, 0)",
    "a namespace of a descriptor": "(3, 0xB701, 0)",
    "the same with bits above 32 set": "(3, 1 << 32 | 0x5452, bytes([1, 0, 0, 0]))",
}


def test_a_run_holds_three_pipes_and_an_empty_input(attack):
    report = attack(
        class_body="""
        import stat
        kinds = {}
        for number in range(4096):
            try:
                kinds[number] = stat.S_IFMT(os.fstat(number).st_mode)
            except OSError:
                pass
        print(json.dumps([kinds, sys.stdin.read()]))
        """
    )
    kinds, typed = json.loads(report.output.stdout)
    device, pipe = 0o20000, 0o10000
    assert kinds == {"0": device, "1": pipe, "2": pipe, "3": pipe}
    assert typed == ""


def test_descriptors_can_be_copied_and_little_else(probe):
    fcntl = {name: f"syscall('fcntl', *{arguments})" for name, arguments in FCNTL.items()}
    ioctl = {name: f"syscall('ioctl', *{arguments})" for name, arguments in IOCTL.items()}
    results = probe(fcntl | ioctl)
    assert results == dict.fromkeys(results, "EPERM")


def test_nobody_is_made_to_work_by_how_a_file_is_opened(probe):
    results = probe(UNBUFFERED | {"waiting": "file = open('mine', 'wb'); file.write(b'x'); os.fsync(file.fileno())"})
    assert results == dict.fromkeys(UNBUFFERED, "EPERM") | {"waiting": "done"}


def test_closed_descriptors_cannot_be_conjured_up(probe):
    results = probe(
        {
            "the control socket": "os.write(5, b'{}')",
            "the request": "os.pread(4, 10, 0)",
            "a descriptor of the warm process": "open(f'/proc/{os.getppid()}/fd/2')",
            "its own, reopened to write": "open('/proc/self/fd/0', 'w')",
            "received": "syscall('recvmsg', 3, bytes(56), 0)",
            "from another process": "syscall('pidfd_getfd', 3, 3, 0)",
        }
    )
    assert results == {
        "the control socket": "EBADF",
        "the request": "EBADF",
        "a descriptor of the warm process": "EACCES",
        "its own, reopened to write": "EACCES",
        "received": "EPERM",
        "from another process": "EPERM",
    }


def test_open_files_are_limited(probe):
    kinds = ("os.pipe()", "os.dup(1)", "os.open('submission.py', 0)", "__import__('select').epoll()", "os.eventfd(0)")
    codes = {}
    for kind in kinds:
        codes[kind] = f"held = []\nwhile True: held.append({kind})"
        codes[f"after {kind}"] = "os.closerange(4, 4096)"
    results = probe(codes)
    assert results == {name: "done" if name.startswith("after") else "EMFILE" for name in codes}


REPLACED = {
    "by a pipe that nobody reads": "os.dup2(os.pipe()[1], 3)",
    "by a file": "os.dup2(os.open('mine', os.O_CREAT | os.O_WRONLY), 3)",
    "by the input": "os.dup2(0, 3)",
    "by standard output": "os.dup2(1, 3)",
}
SWAPPED = {
    "logs into the result": "os.dup2(3, 1)\nos.dup2(3, 2)",
    "control characters into the result": "os.write(3, b'\\x1b[31m')",
    "print into the result": "sys.stdout = open(3, 'w', closefd=False)\nprint('{}')\nsys.stdout.flush()",
}


def test_a_replaced_result_pipe_earns_nothing(attack):
    for name, replace in REPLACED.items():
        report = attack(call=replace, wall_seconds=3.0)
        # A pipe that nobody reads is full after 64 kB; then the run waits for ever.
        assert report.status in ("runtime_error", "invalid_output", "output_limit", "time_limit"), name
        assert report.points == 0, name


def test_text_among_the_answers_is_an_invalid_output(attack):
    found = {name: verdict(attack(call=swap + "\nos.write(1, b'text')")) for name, swap in SWAPPED.items()}
    assert {name: seen for name, seen in found.items() if seen[:2] != ("invalid_output", 0)} == {}
