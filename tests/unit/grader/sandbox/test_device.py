"""The choice of a device, over made-up file systems; no GPU and no TensorFlow needed."""

import re
from pathlib import Path
from unittest.mock import Mock

import pytest

from grader.errors import SandboxUnavailable
from grader.sandbox import Device, Kind, Limits, choose_device
from grader.sandbox.host.device import CUDA_ENVIRONMENT
from grader.sandbox.warm_process import Zygote

BUILD_INFO = "build_info = collections.OrderedDict([('cpu_compiler', 'clang'), ('is_cuda_build', {}), ('x', False)])\n"


class Host:
    """A file system with one GPU and a TensorFlow built with CUDA, to take things away from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.packages = root / "packages"
        for name in ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia0"):
            self.write(f"dev/{name}").chmod(0o666)
        self.write("usr/lib/x86_64-linux-gnu/libcuda.so.1")
        self.write("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA L4\nIRQ: 16\n")
        self.is_cuda_build(True)

    def write(self, path: str, text: str = "") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def remove(self, path: str) -> None:
        (self.root / path).unlink()

    def is_cuda_build(self, value: bool) -> None:
        self.write("packages/tensorflow/python/platform/build_info.py", BUILD_INFO.format(value))

    def choose(self, wanted: str) -> Device:
        return choose_device(wanted, root=self.root, packages=self.packages)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_the_cpu_is_taken_when_asked_for_even_where_a_gpu_is(host):
    device = host.choose("cpu")
    assert (str(device), device.is_gpu, device.nodes, device.environment()) == ("cpu", False, (), {})


@pytest.mark.parametrize("wanted", ["gpu", "auto"])
def test_a_gpu_is_taken_with_its_nodes_and_its_name(host, wanted):
    device = host.choose(wanted)
    assert device.is_gpu
    assert str(device) == "gpu (NVIDIA L4)"
    assert [Path(node).name for node in device.nodes] == ["nvidiactl", "nvidia-uvm", "nvidia0", "nvidia-uvm-tools"]
    host.remove("proc/driver/nvidia/gpus/0000:01:00.0/information")
    assert str(host.choose(wanted)) == "gpu"


def test_all_cards_and_their_parts_are_opened_and_no_display(host):
    for name in ("nvidia1", "nvidia-caps/nvidia-cap12", "nvidia-modeset", "dri/renderD128"):
        host.write(f"dev/{name}").chmod(0o666)
    nodes = [Path(node).name for node in host.choose("gpu").nodes]
    # The driver asks each card.
    assert nodes == ["nvidiactl", "nvidia-uvm", "nvidia0", "nvidia1", "nvidia-uvm-tools", "nvidia-caps"]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("dev/nvidiactl", "/dev/nvidiactl"),
        ("dev/nvidia-uvm", "/dev/nvidia-uvm"),
        ("dev/nvidia0", "/dev/nvidia0"),
        ("usr/lib/x86_64-linux-gnu/libcuda.so.1", "libcuda.so.1"),
        ("packages/tensorflow/python/platform/build_info.py", "TensorFlow built with CUDA"),
    ],
)
def test_a_missing_part_is_named_in_a_refusal_and_sends_auto_to_the_cpu(host, path, named):
    host.remove(path)
    with pytest.raises(SandboxUnavailable, match=f"missing [^,]*{re.escape(named)}[^,]*$"):
        host.choose("gpu")
    device = host.choose("auto")
    assert not device.is_gpu
    assert named in device.reason


def test_a_tensorflow_without_cuda_is_no_tensorflow_for_a_gpu(host):
    host.is_cuda_build(False)
    with pytest.raises(SandboxUnavailable, match=r"TensorFlow built with CUDA \(requirements/gpu.txt"):
        host.choose("gpu")


def test_a_node_that_runs_may_not_open_is_named(host):
    (host.root / "dev/nvidia0").chmod(0o000)
    # Root may open everything, but its runs are other users.
    with pytest.raises(SandboxUnavailable, match=r"missing /dev/nvidia0 open to the users that run submissions$"):
        host.choose("gpu")


@pytest.mark.parametrize(
    ("path", "text", "folder"),
    [
        ("usr/lib/x86_64-linux-gnu/libcuda.so.1", "", None),
        ("etc/ld.so.cache", "glibc-ld.so.cache1.1\0libcuda.so.1\0/opt/driver/libcuda.so.1\0", None),
        ("usr/local/nvidia/lib64/libcuda.so.1", "", "/usr/local/nvidia/lib64"),
    ],
    ids=["found by the loader", "in its cache", "where it does not look"],
)
def test_the_loader_is_told_of_a_library_that_it_does_not_look_for(host, path, text, folder):
    host.remove("usr/lib/x86_64-linux-gnu/libcuda.so.1")
    host.write(path, text)
    environment = host.choose("gpu").environment()
    assert environment == CUDA_ENVIRONMENT | ({"LD_LIBRARY_PATH": folder} if folder else {})
    # Slots share the card, and no library computes in TF32.
    assert (environment["TF_FORCE_GPU_ALLOW_GROWTH"], environment["NVIDIA_TF32_OVERRIDE"]) == ("true", "0")


def test_a_warm_process_has_the_nodes_and_the_environment_of_its_device(host):
    ring = Mock(start=Mock(return_value=(Mock(), 0)))
    device = host.choose("gpu")
    Zygote(Kind.READER, ring, device=device).close()
    command, _, environment = ring.start.call_args.args
    assert (command[-1], environment) == (",".join(device.nodes), CUDA_ENVIRONMENT)


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match="device is GPU; possible are cpu, gpu and auto"):
        choose_device("GPU")


def test_only_the_needs_of_cuda_are_added_to_the_limits():
    limits = Limits()
    wider = limits.with_cuda()
    changed = {name for name in Limits.model_fields if getattr(wider, name) != getattr(limits, name)}
    assert changed == {"cpu_seconds", "wall_seconds", "memory_bytes", "threads", "open_files"}
    assert all(getattr(wider, name) > getattr(limits, name) for name in changed)
