"""The folder that a run may write to: made before its child starts, removed after the child has ended.

In between, none of our code opens, changes or writes anything in it: a trusted process that follows a run into its
folder can be led out of it. Only the supervisor counts the files there, and reads nothing.
"""

import contextlib
import fcntl
import logging
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from grader.errors import SandboxUnavailable

logger = logging.getLogger(__name__)

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
PREFIX = "lstm-grader-runs-"


class SandboxFolder:
    """A new folder in the temporary directory, for the folders of one sandbox's runs.

    It is locked until it is removed or this process ends, however it ends. This user's unlocked folders were left by
    killed processes, and are removed first.

    Raises:
        SandboxUnavailable: there is no temporary directory that can be written.
    """

    def __init__(self) -> None:
        with _possible():
            parent = Path(tempfile.gettempdir())
        for left in parent.glob(f"{PREFIX}????????"):
            with contextlib.suppress(OSError):  # no folder, gone meanwhile, or locked because it is in use
                if left.lstat().st_uid == os.geteuid():
                    with _locked(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
                        remove_folder(left)
        self._lock = contextlib.ExitStack()
        while True:
            with _possible():
                self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            # Until it is locked, another sandbox that starts now may take it for a leftover.
            with contextlib.suppress(FileNotFoundError):
                self._lock.enter_context(_locked(self.path, fcntl.LOCK_EX))
                if self.path.exists():
                    return
            self._lock.close()

    def remove(self) -> None:
        remove_folder(self.path)
        self._lock.close()


@contextlib.contextmanager
def _possible() -> Iterator[None]:
    """Raises: SandboxUnavailable: a folder cannot be made."""
    try:
        yield
    except OSError as exc:
        where = "" if exc.filename is None else f"{exc.filename}: "
        raise SandboxUnavailable(f"no folder can be made for a run: {where}{exc.strerror}") from exc


@contextlib.contextmanager
def _locked(folder: Path, operation: int) -> Iterator[None]:
    """Hold a lock on the folder. Raises: OSError: it cannot be opened, or another process has locked it."""
    lock = os.open(folder, OPEN_FOLDER)
    try:
        fcntl.flock(lock, operation)
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def run_folder(parent: Path, uid: int | None) -> Iterator[str]:
    """Make a new folder in `parent` that belongs to user `uid` (None: to us), and remove it afterwards.

    Raises:
        SandboxUnavailable: it cannot be made, or cannot be given to that user.
    """
    with _possible():
        folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        if uid is not None:
            try:
                os.chown(folder, uid, uid)
            except PermissionError as exc:
                raise SandboxUnavailable("root here may not change owners (CAP_CHOWN): run as another user") from exc
            except OSError as exc:  # EINVAL: its user namespace does not map this id.
                raise SandboxUnavailable(f"root here has no user {uid} to give to a run: run as another user") from exc
        yield str(folder)
    finally:
        remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder with everything in it, however deep: thousands of levels must not end in a RecursionError.

    Nested folders are moved up beside each other and emptied there. What cannot be removed is left, and logged.
    """
    try:
        top = os.open(folder, OPEN_FOLDER)
        try:
            while inner_folders := _remove_files(top):
                for name in inner_folders:
                    _flatten(name, top)
        finally:
            os.close(top)
        folder.rmdir()
    except FileNotFoundError:  # closing a sandbox removes all its folders at once
        pass
    except OSError as exc:
        logger.warning("run_folder_left", extra={"reason": str(exc)})


def _remove_files(folder: int) -> list[str]:
    """Remove everything but folders; return the folders' names."""
    with os.scandir(folder) as entries:
        listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in listed:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
    return [name for name, is_folder in listed if is_folder]


def _flatten(name: str, top: int) -> None:
    """Move the folders inside `name`, a folder of `top`, to `top`, and remove the rest."""
    inner = os.open(name, OPEN_FOLDER, dir_fd=top)
    try:
        for deeper in _remove_files(inner):
            os.rename(deeper, uuid.uuid4().hex, src_dir_fd=inner, dst_dir_fd=top)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=top)
