"""The warm process: it has imported what submissions need, and forks a locked-down child for each of them.

    trusted side  --control socket-->  zygote  --fork-->  child (one submission)
         ^  ^                            |                  |
         |  '---- status pipe: verdict --'                  |
         '---- result, stdout, stderr pipes ----------------'

Importing TensorFlow takes seconds and hundreds of megabytes, so it happens once, here. A process that only *imported*
TensorFlow forks children that work; one that has *run* an operation forks children that hang: so this one runs none.

It is started by path with an empty environment and one open socket. It never sees a byte of a submission (the child
reads the request itself), and holds no expected value, no seed, no secret. It watches its children: supervisor.py.

Started as ``zygote.py KIND FD ACCEPTED NODES``: KIND is a `Kind`; FD is the control socket;
ACCEPTED names the mechanisms that the operator agrees to run without; NODES are the device files of the GPU that
submissions run on, empty for the CPU. CUDA does not survive a fork either, so it is started in each child.
"""

import gc
import json
import os
import signal
import socket
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cuda
import lockdown
from box_requests import Kind
from supervisor import Supervisor
from template import Template

HERE = os.path.dirname(os.path.abspath(__file__))


def _preload(kind: Kind, wall: lockdown.Wall) -> tuple[Any, dict[str, str]]:
    """Return the program of a kind, whose `main()` is called in the child, and the facts of its `preload()`."""
    os.environ.update(
        TF_CPP_MIN_LOG_LEVEL="3",
        # Equal results on every machine, and one thread a run: the slots share the cores.
        TF_ENABLE_ONEDNN_OPTS="0",
        # oneDNN would compile its matrix product anew in every child, which takes longer than all products of a run.
        TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL="false",
        TF_NUM_INTRAOP_THREADS="1",
        TF_NUM_INTEROP_THREADS="1",
        OPENBLAS_NUM_THREADS="1",
        OMP_NUM_THREADS="1",
        MKL_NUM_THREADS="1",
        NUMEXPR_NUM_THREADS="1",
        CUDA_VISIBLE_DEVICES="",  # with a GPU too: nothing may start CUDA here
        MPLBACKEND="Agg",
        # No place for a cache or a configuration: the box may write to its run directory only.
        HOME="/nonexistent",
        # Without this Keras takes its settings from /tmp/.keras, where any user can put some.
        KERAS_HOME="/nonexistent",
    )
    if kind.is_keras2:
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
    program: Any
    if kind is Kind.READER:  # it needs nothing of the driver, and the driver nothing of it
        from reader import upload as program
    else:
        from driver.built_in import no_lite

        no_lite.install()  # before TensorFlow is imported
        from driver import program
    facts = program.preload(kind, wall)
    # All of our modules are loaded. From here on a submission's imports must find neither them nor their folders. Our
    # packages are importable too where they are installed in place.
    ours = {os.path.realpath(path) for path in (HERE, os.path.dirname(os.path.dirname(HERE)))}
    sys.path[:] = [entry for entry in sys.path if entry and os.path.realpath(entry) not in ours]
    return program, facts


def main() -> None:
    gc.disable()  # it would take a fifth of the imports' time, and find nothing: what they make stays
    kind, fd, accepted_missing = Kind(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(",")
    gpu_nodes = sys.argv[4].split(",") if sys.argv[4] else []
    control = socket.socket(fileno=fd)
    os.set_inheritable(fd, False)
    os.environ.pop("PWD", None)  # bubblewrap sets it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the trusted side, which then closes the socket
    try:
        wall = lockdown.prepare(accepted_missing, gpu_nodes)
        program, facts = _preload(kind, wall)
    except lockdown.Refused as exc:
        # Sent before the socket closes: its reader then kills what is left of this process.
        print(f"refused: {exc}", file=sys.stderr, flush=True)
        sys.exit(1)
    sys.argv[:] = [""]
    gc.freeze()  # keeps the collector from touching, and so copying, the parent's pages in every child
    gc.enable()
    template = Template(wall, program.main, cuda.start if gpu_nodes else lambda: None, control)
    opens = {"device nodes": ", ".join(gpu_nodes), **cuda.OPENINGS} if gpu_nodes else {}
    control.send(json.dumps({"facts": facts, "wall": wall.state, "opens": opens}).encode())
    Supervisor(control, template, strays=not wall.state["seccomp"][0]).serve()


if __name__ == "__main__":
    main()
