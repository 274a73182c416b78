"""Programs that tests start where the machine has them."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.waiting import SECONDS, wait_until

#: The Debian package that brings each. `.ci/run` installs them all.
PACKAGES = {
    "bwrap": "bubblewrap",
    "caddy": "caddy",
    "chromium": "chromium",
    "curl": "curl",
    "ip": "iproute2",
    "mount": "mount",
    "nginx": "nginx-light",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "soffice": "libreoffice-calc-nogui",
    "systemd-analyze": "systemd",
}


def program(name: str, *other_names: str) -> str:
    """The path of a program; without it the test is skipped, and told how to install it.

    Args:
        other_names: under which other systems have it.
    """
    # An ordinary user of Debian does not have the administrator's programs in PATH.
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    for candidate in (name, *other_names):
        if location := shutil.which(candidate, path=path):
            return location
    pytest.skip(f"{name} is not installed (Debian, Ubuntu: apt install {PACKAGES[name]})")


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], log: Path, is_ready: Callable[[], object], **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that says what it does in a file, from when it is ready until the block ends."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | environment)

    def lives_and_is_ready() -> object:
        assert process.poll() is None, log.read_text()
        return is_ready()

    try:
        wait_until(lives_and_is_ready)
        yield process
    finally:
        process.terminate()
        process.wait(SECONDS)
