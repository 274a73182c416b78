"""The folder that a run may write to: made before its child starts, removed when that has ended.

In between nothing of ours opens, changes or writes anything in it: a trusted process that follows a run into its folder
can be led out of it. The supervisor alone counts what lies there, and reads nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from grader.errors import SandboxUnavailable

logger = logging.getLogger(__name__)

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@contextlib.contextmanager
def run_folder(parent: Path, uid: int | None) -> Iterator[str]:
    """A new folder in `parent` that belongs to user `uid` (None: to us), gone afterwards.

    Raises:
        SandboxUnavailable: it cannot be given to that user.
    """
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        if uid is not None:
            try:
                os.chown(folder, uid, uid)
            except PermissionError as exc:
                raise SandboxUnavailable("root here may not change owners (CAP_CHOWN): run as another user") from exc
        yield str(folder)
    finally:
        remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, however deep: thousands of levels must not end in a RecursionError.

    Folders in it are moved up beside each other and emptied there. What cannot be removed is left, and logged.
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
    """Remove what is no folder; returns the names of the folders."""
    with os.scandir(folder) as entries:
        listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in listed:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
    return [name for name, is_folder in listed if is_folder]


def _flatten(name: str, top: int) -> None:
    """Move the folders in the folder `name` of `top` to `top`, and remove what is left."""
    inner = os.open(name, OPEN_FOLDER, dir_fd=top)
    try:
        for deeper in _remove_files(inner):
            os.rename(deeper, uuid.uuid4().hex, src_dir_fd=inner, dst_dir_fd=top)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=top)
