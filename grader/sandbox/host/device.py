"""The device that runs submissions: the CPU, or a GPU that the box can use.

The choice only looks at files. Starting CUDA to ask it would be expensive here, and fatal in a warm process, because
CUDA does not survive a fork.
"""

import importlib.util
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from grader.errors import SandboxUnavailable

DeviceChoice = Literal["cpu", "gpu", "auto"]
DEVICE_CHOICES: tuple[str, ...] = get_args(DeviceChoice)

# CUDA needs these two and one /dev/nvidiaN; the others are used where they exist.
CONTROL_NODES = ("nvidiactl", "nvidia-uvm")
OTHER_NODES = ("nvidia-uvm-tools", "nvidia-caps")
DRIVER_LIBRARY = "libcuda.so.1"
LIBRARY_FOLDERS = ("usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib", "lib64", "lib/x86_64-linux-gnu")
# Some container runtimes mount libraries there; the loader does not look there by itself.
EXTRA_LIBRARY_FOLDERS = ("usr/local/nvidia/lib64", "usr/lib/wsl/lib")

#: The environment of a process that computes on the GPU, apart from the place of its libraries.
CUDA_ENVIRONMENT = {
    # The first card by bus number, as /proc/driver/nvidia/gpus lists them.
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    "CUDA_VISIBLE_DEVICES": "0",
    # Slots share the card: take memory as it is needed, not all of it at once.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    # TF32 keeps 10 bits of the mantissa. This is for libraries that TensorFlow's own switch does not reach.
    "NVIDIA_TF32_OVERRIDE": "0",
    # The same numbers every time, without refusing operations: TF_DETERMINISTIC_OPS would make honest code fail.
    "TF_CUDNN_DETERMINISTIC": "1",
    "TF_CUDNN_USE_AUTOTUNE": "0",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    # A run must not load what another run compiled for the card.
    "CUDA_CACHE_DISABLE": "1",
}


@dataclass(frozen=True)
class Device:
    """The device that runs submissions.

    Args:
        model: the card's name, if the driver tells it.
        nodes: device files that a run may open; none: it runs on the CPU.
        library_folder: the folder of the driver's libraries, when the loader does not look there by itself.
        reason: the reason for the CPU, when it was not asked for.
    """

    model: str = ""
    nodes: tuple[str, ...] = ()
    library_folder: str = ""
    reason: str = ""

    @property
    def is_gpu(self) -> bool:
        return bool(self.nodes)

    def __str__(self) -> str:
        """Return the text for reports."""
        if not self.is_gpu:
            return "cpu"
        return f"gpu ({self.model})" if self.model else "gpu"

    def environment(self) -> dict[str, str]:
        """Return the environment variables of a process that computes on it."""
        if not self.is_gpu:
            return {}
        return CUDA_ENVIRONMENT | ({"LD_LIBRARY_PATH": self.library_folder} if self.library_folder else {})


CPU = Device()


def choose_device(choice: str, *, root: Path = Path("/"), packages: Path | None = None) -> Device:
    """Settle what ``LSTM_GRADER_DEVICE`` asks for.

    Args:
        choice: one of `DEVICE_CHOICES`; ``auto``: the GPU if there is one that the box can use.
        root: the file system; tests put another one here.
        packages: the folder that holds TensorFlow; None: the one that Python would import it from.
    Raises:
        ValueError: `choice` is something else.
        SandboxUnavailable: there is no TensorFlow; or ``gpu`` was asked for and cannot be had, and the message names
            everything that is missing.
    """
    if choice not in DEVICE_CHOICES:
        raise ValueError(f"device is {choice}; possible are cpu, gpu and auto")
    if packages is None and importlib.util.find_spec("tensorflow") is None:
        raise SandboxUnavailable(
            "TensorFlow is not installed, so nothing can be graded (requirements/cpu.txt or the image's target cpu has "
            "it); a service on PostgreSQL, LSTM_GRADER_DATABASE_URL, does without"
        )
    if choice == "cpu":
        return CPU
    nodes, missing = _nodes(root / "dev")
    folder = _library_folder(root)
    if folder is None:
        missing.append(f"NVIDIA's driver library {DRIVER_LIBRARY}")
    if not _is_cuda_build(packages):
        missing.append("a TensorFlow built with CUDA (requirements/gpu.txt or the image's target gpu)")
    if not missing:
        return Device(_model(root), tuple(nodes), folder or "")
    if choice == "gpu":
        raise SandboxUnavailable(f"a GPU is asked for, and there is none that it can use: missing {', '.join(missing)}")
    return Device(reason=f"for a GPU these are missing: {', '.join(missing)}")


def _nodes(dev: Path) -> tuple[list[str], list[str]]:
    """Find the device files to open, and the missing ones."""
    cards = sorted(dev.glob("nvidia[0-9]*"))
    choice = [dev / name for name in CONTROL_NODES] + (cards or [dev / "nvidia0"])
    missing = [f"/dev/{node.name}" for node in choice if not node.exists()]
    missing += [f"/dev/{node.name} open to the users that run submissions" for node in choice if not _usable(node)]
    others = [dev / name for name in OTHER_NODES]
    return [str(node) for node in (*choice, *others) if node.exists()], missing


def _usable(node: Path) -> bool:
    """Return whether a run may read and write it: under root, each run has its own user, who is in no group."""
    if not node.exists():
        return True  # the caller reports it as missing
    if os.geteuid() == 0:
        everybody = stat.S_IROTH | stat.S_IWOTH
        return node.stat().st_mode & everybody == everybody
    return os.access(node, os.R_OK | os.W_OK)


def _library_folder(root: Path) -> str | None:
    """Find the driver's library: a folder for the loader, "" if the loader finds it by itself, None if missing."""
    cache = root / "etc/ld.so.cache"
    if cache.exists() and DRIVER_LIBRARY.encode() in cache.read_bytes():
        return ""
    if any((root / folder / DRIVER_LIBRARY).exists() for folder in LIBRARY_FOLDERS):
        return ""
    places = (f"/{folder}" for folder in EXTRA_LIBRARY_FOLDERS if (root / folder / DRIVER_LIBRARY).exists())
    return next(places, None)


def _is_cuda_build(packages: Path | None) -> bool:
    """Read TensorFlow's own description, without importing it: an import takes seconds."""
    if packages is None:
        spec = importlib.util.find_spec("tensorflow")
        if spec is None or not spec.submodule_search_locations:
            return False
        packages = Path(spec.submodule_search_locations[0]).parent
    try:
        text = (packages / "tensorflow/python/platform/build_info.py").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.search(r"['\"]is_cuda_build['\"]\s*[,:]\s*True\b", text) is not None


def _model(root: Path) -> str:
    """Read the name of the first card."""
    for information in sorted(root.glob("proc/driver/nvidia/gpus/*/information")):
        try:
            text = information.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if found := re.search(r"^Model:\s*(.+?)\s*$", text, re.MULTILINE):
            return found[1]
    return ""
