"""Attacks on the pages that held TensorFlow's recurrent kernels, with `mseal` and without (before Linux 6.10).

Nothing would be won by changing them, since what they held is gone. It must not be possible all the same.
"""

import json
import os
import subprocess
import sys
import textwrap
from importlib import resources

import pytest

from grader.sandbox import Kind

# Where the code of a kernel lies, and a page of one's own.
FIND_KERNEL = """
    import os, tensorflow
    path = os.path.join(os.path.dirname(tensorflow.__file__), 'libtensorflow_cc.so.2')
    library = ctypes.CDLL(path, mode=4 | os.RTLD_NOW)  # RTLD_NOLOAD
    name = '_ZN10tensorflow11BlockLSTMOpIN5Eigen16ThreadPoolDeviceEfLb0ELNS_10GateLayoutE1EE'
    name += '7ComputeEPNS_15OpKernelContextE'
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    page = address & ~4095
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    own = libc.mmap(None, 8192, 3, 0x22, -1, 0)
    assert own != 2 ** 64 - 1
    def pages(name, *arguments): return syscall(name, *[ctypes.c_ulong(value % 2 ** 64) for value in arguments])
"""
CODE = "assert set(ctypes.string_at(address + 1, 4000)) - {0, 0xCC}"
# oneDNN has an LSTM of its own in that library, which no operation of TensorFlow uses.
ONEDNN = """
    name = '_ZNK4dnnl4impl3cpu17_ref_rnn_common_tIL16dnnl_prop_kind_t64EL16dnnl_data_type_t3ELS4_3ELS4_3EE'
    name += '16linear_executionERKNS0_10exec_ctx_tERKNS1_9rnn_utils10rnn_conf_tEPPfSE_SE_PKfSG_PPvSG_SG_SG_PKvSD_SD_SH_'
    name += 'SD_SD_SH_' + 'SD_' * 20 + 'PNS1_3x6422brgemm_batch_element_tE'
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    assert set(ctypes.string_at(address + 1, 200)) - {0xCC}
"""
ATTACKS = {
    "write": "pages('mprotect', page, 4096, 3); ctypes.memset(page, 0xC3, 4096)",
    "write to the end of memory": "pages('mprotect', page, (1 << 47) - page - 4096, 7)",
    "forget": "pages('madvise', page, 4096, 4)",
    "forget at once": "pages('madvise', page, 4096, 8); pages('madvise', page, 4096, 14)",
    "unmap": "pages('munmap', page, 4096)",
    "map over": "pages('mmap', page, 4096, 3, 0x32, -1, 0)",
    "map a file over": "f = open('page', 'w+b'); f.truncate(4096); pages('mmap', page, 4096, 5, 0x12, f.fileno(), 0)",
    "move away": "pages('mremap', page, 4096, 8192, 1, 0)",
    "move onto": "pages('mremap', own, 4096, 4096, 3, page)",
    "protection keys": "pages('pkey_mprotect', page, 4096, 7, -1)",
    "advice from outside": "pages('process_madvise', 0, own, 1, 21, 0)",
    "pages of a file in another order": "pages('remap_file_pages', page, 4096, 0, 0, 0)",
    "the memory as a file": "os.open('/proc/self/mem', os.O_RDWR)",
}
# Ordinary operations of a right answer.
HONEST = {
    "a page of its own": "pages('mprotect', own, 4096, 1)",
    "map over it": "pages('mmap', own, 4096, 3, 0x32, -1, 0)",
    "move it": "pages('mremap', own, 4096, 8192, 1, 0)",
}
GONE = {"the code": CODE, "oneDNN's code": textwrap.dedent(ONEDNN)}
CODES = {name: textwrap.dedent(FIND_KERNEL) + code for name, code in (GONE | ATTACKS | HONEST).items()}
EXPECTED = dict.fromkeys(GONE, "AssertionError") | dict.fromkeys(ATTACKS, "EPERM") | dict.fromkeys(HONEST, "done")
EXPECTED |= {"the memory as a file": "EACCES"}

# A command line on a kernel that does not know the call; all that it starts is on it, too.
WITHOUT_MSEAL = """
import errno, sys
import pyseccomp
calls = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
calls.add_rule(pyseccomp.ERRNO(errno.ENOSYS), 462)
calls.load()
from grader.cli import cli
cli()
"""


def test_a_kernel_that_was_wiped_stays_wiped(probe, sandbox):
    outcomes = probe(CODES)
    if "sealed by mseal" in sandbox.wall(Kind.KERAS3)["no recurrent code"].stops:
        # This kernel first looks whether it is all one mapping.
        outcomes = {name: "EPERM" if outcome == "EFAULT" else outcome for name, outcome in outcomes.items()}
    assert outcomes == EXPECTED


@pytest.mark.parametrize("generation", ["3", pytest.param("2", marks=pytest.mark.thorough)], ids=["Keras 3", "Keras 2"])
def test_before_linux_6_10_it_stays_wiped_too(cache_dir, probes, tmp_path, generation):
    (tmp_path / "submission.py").write_bytes(probes(CODES).content)
    default = (resources.files("grader") / "assignments" / "lstm-layer.toml").read_text()
    (tmp_path / "assignment.toml").write_text(default.replace('keras = "auto"', f'keras = "{generation}"'))
    arguments = ["grade", str(tmp_path / "submission.py"), "--assignment", str(tmp_path / "assignment.toml")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MSEAL, *arguments, "--format", "json"],
        capture_output=True,
        env=os.environ | {"LSTM_GRADER_CACHE_DIR": str(cache_dir)},
    )
    report = json.loads(done.stdout)
    assert (report["status"], report["points"]) == ("passed", 100), report["error"]
    assert json.loads(report["output"]["stdout"].splitlines()[-1]) == EXPECTED
