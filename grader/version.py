"""The identity of the code that grades. A version number alone misses changes between two releases."""

import functools
import hashlib
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import reference

OURS = (Path(__file__).parent, Path(reference.__path__[0]))
#: They read submissions and compute the expected answers. TensorFlow and Keras have their own place in
#: a report.
LIBRARIES = ("ipython", "numpy")


@functools.cache
def grader_version() -> str:
    """Return the version of this package and, behind a plus, the start of a digest of the grading code.

    The digest covers the code of `grader` and `reference`, Python, and `LIBRARIES`: ``1.0.0+3f2a9c01d4e5``.
    """
    others = {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
    return f"{version('lstm-grader')}+{code_digest(OURS, others)[:12]}"


def code_digest(packages: Iterable[Path], others: dict[str, str]) -> str:
    """Return the SHA-256, in hex, of all Python files below these folders, and of names with versions."""
    digest = hashlib.sha256(repr(sorted(others.items())).encode())
    for package in packages:
        for path in sorted(package.rglob("*.py")):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(package.parent).as_posix()} {content}\n".encode())
    return digest.hexdigest()
