"""An environment that holds what a lock names, and nothing else of the environment of the tests."""

import os
import re
import shutil
import venv
from importlib.metadata import distribution
from pathlib import Path

from packaging.markers import Marker

REQUIREMENTS = Path(__file__).parents[1] / "requirements"


def locked(lock: str) -> dict[str, str]:
    """The packages that a lock names for this machine, with their versions."""
    text = (REQUIREMENTS / lock).read_text(encoding="utf-8")
    lines = re.findall(r"^([\w.-]+)==(\S+)(?: ; (.*?))? \\$", text, re.MULTILINE)
    return {name: version for name, version, marker in lines if not marker or Marker(marker).evaluate()}


def make_environment(folder: Path, lock: str) -> Path:
    """Unpack what pip would: the environment of the tests has the same files. Returns: the folder of the packages."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python3.*/site-packages")
    for name, version in locked(lock).items():
        assert distribution(name).version == version, name
        unpack(name, packages)
    return packages


def unpack(name: str, packages: Path) -> None:
    """Put the files of an installed package there; most are the same files, not copies."""
    package = distribution(name)
    for file in package.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            source, target = str(package.locate_file(file)), packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, target)
            except OSError:  # another file system, or somebody else's file
                shutil.copy2(source, target)
