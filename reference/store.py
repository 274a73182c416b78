"""The store of correct answers.

A case is built once, by Keras in a process of its own, because importing TensorFlow takes seconds and hundreds of
megabytes and this process has other things to do. It is then checked against the oracle, written to one safetensors
file per assignment and pair of TensorFlow and Keras versions, and kept in memory. Concurrent callers, threads or
processes, wait for the lock of the cache folder and then find the file.

The file is not trusted: specs, shapes and the agreement with the oracle are checked again when it is read, and a file
that fails is built again.
"""

import contextlib
import fcntl
import functools
import hashlib
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from reference.cases import (
    Case,
    CaseSpec,
    cases_from_arrays,
    cases_to_arrays,
    search_case,
    specs_from_json,
    specs_to_json,
)
from reference.cell import Float32Array
from reference.errors import ReferenceClosed, ReferenceMismatch, ReferenceUnavailable
from reference.lstm.misconceptions.table import Table, build_table, read_table, table_name, write_table

logger = logging.getLogger(__name__)

# Rounding grows with the scale, and so does the limit. Measured over 120 cases each: 1.9e-7 at 1, 1.2e-6 at 3.
MAX_DIFFERENCE = 1e-6
BUILD_TIMEOUT_SECONDS = 300  # A build takes 3 to 15 seconds, so this one hangs.

OnStart = Callable[[subprocess.Popen[bytes]], None]
Builder = Callable[[Sequence[CaseSpec]], dict[str, Float32Array]]


def check_against_oracle(case: Case) -> float:
    """Compare the answer of Keras with that of the oracle.

    Returns:
        The largest absolute difference.
    Raises:
        ReferenceMismatch: it is more than `MAX_DIFFERENCE` times the scale, or not a number.
    """
    with np.errstate(invalid="ignore"):  # A damaged file may hold NaNs that raise a warning when they are used.
        difference = float(np.max(np.abs(case.expected - case.weights.answer(case.x))))
    limit = MAX_DIFFERENCE * max(1.0, case.spec.scale)
    if difference <= limit:  # Written so that NaN is a mismatch.
        return difference
    raise ReferenceMismatch(f"case {case.spec.id!r}: Keras and the oracle differ by {difference:.1e} (limit {limit:g})")


def build_with_keras(
    specs: Sequence[CaseSpec],
    *,
    started: OnStart = lambda process: None,
) -> dict[str, Float32Array]:
    """Have Keras make and answer cases; return their arrays, as `cases_to_arrays` names them.

    Args:
        started: called with the process, so that the caller can end it.
    Raises:
        ReferenceUnavailable: the process failed, took longer than `BUILD_TIMEOUT_SECONDS`, or wrote something else.
    """
    return _run_keras([], specs_to_json(specs).encode(), started=started)


def answer_with_keras(cases: Sequence[Case], *, gpu: Mapping[str, str] | None = None) -> tuple[Case, ...]:
    """Have Keras answer cases; return them with its answers, so that they can be compared with the oracle's.

    Args:
        gpu: environment variables of a process that computes on a GPU; None: compute on the CPU, as for all answers
            that submissions are compared with.
    Raises:
        ReferenceUnavailable: as with `build_with_keras`.
    """
    arguments = ["answer", *([] if gpu is None else ["gpu"])]
    answers = _run_keras(arguments, safetensors.numpy.save(cases_to_arrays(cases)), gpu)
    return tuple(replace(case, expected=answers[case.spec.id]) for case in cases)


def _run_keras(
    arguments: Sequence[str],
    stdin: bytes,
    gpu: Mapping[str, str] | None = None,
    started: OnStart = lambda process: None,
) -> dict[str, Float32Array]:
    """Run `reference.lstm.keras_layer` in a new process and return the arrays it writes."""
    # The environment is not inherited: it may hold secrets, and settings of TensorFlow that change the numbers. HOME is
    # an empty folder because Keras takes its float type from there, and so is the current folder, because Python would
    # import a student's `numpy.py` from it.
    with tempfile.TemporaryDirectory(prefix="reference-") as home:
        try:
            with subprocess.Popen(
                [sys.executable, "-m", "reference.lstm.keras_layer", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=home,
                env={
                    "HOME": home,
                    # This very package, wherever it lies: the process inherits no search path.
                    "PYTHONPATH": str(Path(__file__).parents[1]),
                    "TF_ENABLE_ONEDNN_OPTS": "0",
                    "TF_CPP_MIN_LOG_LEVEL": "3",
                    "CUDA_VISIBLE_DEVICES": "",
                    **(gpu or {}),
                },
            ) as process:
                started(process)
                try:
                    arrays, printed = process.communicate(stdin, BUILD_TIMEOUT_SECONDS)
                except BaseException:
                    process.kill()
                    raise
            if process.returncode:
                last_lines = "\n".join(printed.decode(errors="replace").splitlines()[-10:])
                raise ReferenceUnavailable(
                    f"building the reference failed: exit status {process.returncode}\n{last_lines}"
                )
            return safetensors.numpy.load(arrays)
        except (subprocess.TimeoutExpired, safetensors.SafetensorError) as error:
            raise ReferenceUnavailable(f"building the reference failed: {error}") from error


def installed_versions() -> str:
    """Name the installed TensorFlow and Keras, for example ``tensorflow-2.21.0-keras-3.15.1``, without importing them.

    Raises:
        ReferenceUnavailable: one of them is not installed.
    """
    return f"tensorflow-{_version('tensorflow', 'tensorflow-cpu')}-keras-{_version('keras')}"


def _version(*distributions: str) -> str:
    for name in distributions:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    raise ReferenceUnavailable(f"{distributions[0]} is not installed here")


class ReferenceStore:
    """The cases of every assignment, built when first asked for. Threads and processes may share one folder.

    Args:
        cache_dir: made with mode 0700 if it does not exist: it holds the answers.
        build: makes the arrays of new cases; tests pass a faster one.
    """

    def __init__(self, cache_dir: Path, *, build: Builder | None = None) -> None:
        self._cache_dir = cache_dir
        self._build = build or functools.partial(build_with_keras, started=self._started)
        self._building: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._loaded: dict[tuple[str, tuple[CaseSpec, ...]], tuple[Case, ...]] = {}
        self._tables: dict[str, Table] = {}

    def close(self) -> None:
        """End the running build, because this process stops; no more answers are built."""
        self._closed = True
        if self._building is not None:
            self._building.kill()

    def _started(self, process: subprocess.Popen[bytes]) -> None:
        self._building = process
        if self._closed:
            process.kill()

    def load(self, specs: Sequence[CaseSpec], *, digest: str) -> tuple[Case, ...]:
        """Return the cases of `specs`, in their order, with read-only arrays.

        Args:
            specs: all cases of one assignment.
            digest: the assignment's; part of a file name.
        Raises:
            ReferenceMismatch: Keras and the oracle disagree.
            ReferenceUnavailable: the cases could not be built, or the cache folder cannot be used.
            ReferenceClosed: the store was closed meanwhile.
            ValueError: two specs have the same id, or `digest` cannot be part of a file name.
        """
        specs = tuple(specs)
        if len({spec.id for spec in specs}) < len(specs):
            raise ValueError("two cases have the same id")
        if "/" in digest:
            raise ValueError(f"digest {digest!r} cannot be part of a file name")
        key = (digest, specs)
        if key not in self._loaded:
            path = self._cache_dir / f"{digest}-{installed_versions()}.safetensors"
            try:
                with self._locked():
                    if key not in self._loaded:
                        self._loaded[key] = _read(path, specs) or self._build_and_write(path, specs)
            except OSError as error:
                raise self._no_place("the reference cannot be built or stored", error) from error
        return self._loaded[key]

    def prepare(self, specs: Sequence[CaseSpec], *, digest: str) -> None:
        """Build everything that grading this assignment may need. Raises the exceptions of `load` and `table`."""
        self.table(search_case(self.load(specs, digest=digest)))

    def table(self, case: Case) -> Table:
        """Return the answers of all known mistakes on `case`. Built when first asked for, which takes about 6 s of CPU.

        Raises:
            ReferenceUnavailable: the cache folder cannot be used.
        """
        name = table_name(case)
        if name not in self._tables:
            path = self._cache_dir / f"{name}.safetensors"
            try:
                with self._locked(f"{name}.lock"):
                    if name not in self._tables:
                        self._tables[name] = read_table(path) or self._build_table(case, path)
            except OSError as error:
                raise self._no_place("the table of mistakes cannot be stored", error) from error
        return self._tables[name]

    @staticmethod
    def _build_table(case: Case, path: Path) -> Table:
        table = build_table(case)
        write_table(table, path)
        logger.info("mistakes_table_built", extra={"path": str(path), "entries": len(table.entries)})
        return table

    def _no_place(self, what: str, error: OSError) -> ReferenceUnavailable:
        return ReferenceUnavailable(f"{what} in {self._cache_dir}: {error.strerror or error}")

    @contextlib.contextmanager
    def _locked(self, name: str = "lock") -> Iterator[None]:
        """Keep out every other process, and every other thread too, because each opens the lock file anew."""
        self._cache_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._cache_dir / name).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _build_and_write(self, path: Path, specs: tuple[CaseSpec, ...]) -> tuple[Case, ...]:
        try:
            arrays = {} if self._closed else self._build(specs)
        except ReferenceUnavailable:
            if not self._closed:
                raise
        if self._closed:
            raise ReferenceClosed("the store of references is closed")
        cases = cases_from_arrays(specs, arrays)
        worst = max(map(check_against_oracle, cases), default=0.0)
        logger.info("reference_built", extra={"path": str(path), "cases": len(cases), "worst_difference": worst})

        # The lock makes one name enough for the unfinished file; a file left by a crash is overwritten.
        unfinished = path.with_suffix(".unfinished")
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(safetensors.numpy.save(arrays, {"specs": specs_to_json(specs), "recipe": _recipe()}))
        unfinished.replace(path)
        return cases


def _read(path: Path, specs: tuple[CaseSpec, ...]) -> tuple[Case, ...] | None:
    """Return the cases of a cache file, or None if there is no file, or it is another one."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            stored = file.metadata()
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not iterable)
        if stored["recipe"] != _recipe() or specs_from_json(stored["specs"]) != specs:
            logger.info("reference_outdated", extra={"path": str(path)})
            return None
        cases = cases_from_arrays(specs, arrays)
        for case in cases:
            check_against_oracle(case)
    except FileNotFoundError:
        return None
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, ReferenceMismatch) as error:
        logger.warning("reference_damaged", extra={"path": str(path), "reason": str(error)})
        return None
    return cases


def _recipe() -> str:
    """Identify the code that makes the cases, so that files of an older version of it are not used."""
    return hashlib.sha256((Path(__file__).parent / "lstm" / "keras_layer.py").read_bytes()).hexdigest()
