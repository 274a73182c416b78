"""Programs that tests start where the machine has them."""

import os
import shutil

import pytest

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
