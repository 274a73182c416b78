"""The private memory of one run: what it adds to the warm process that it was forked from.

Started as ``child_memory.py RUNNER REQUEST``: the folder of the code in the box, and a file with a request. Prints
bytes. There is no wall, because behind it a process cannot look at its own memory; it adds none.
"""

import gc
import os
import re
import sys

_, runner, request = sys.argv
sys.path.insert(0, runner)
os.environ.clear()

import zygote  # noqa: E402  # it is no package

wall = zygote.lockdown.prepare([], [])
program, _ = zygote._preload(zygote.Kind.KERAS3, wall)
gc.collect()
gc.freeze()


def child() -> None:
    os.chdir(os.path.dirname(request))
    sys.dont_write_bytecode = True
    os.dup2(os.open(os.devnull, os.O_WRONLY), zygote.lockdown.RESULT)
    request_fd = os.open(request, os.O_RDONLY)
    gc.disable()  # the models of the run are still there when it is measured
    program.main(request_fd, 0.0)
    with open("/proc/self/smaps_rollup", encoding="ascii") as smaps:
        private = re.findall(r"Private_(?:Clean|Dirty): *(\d+) kB", smaps.read())
    print(1024 * sum(map(int, private)), flush=True)


if os.fork() == 0:
    child()
    os._exit(0)
os.wait()
