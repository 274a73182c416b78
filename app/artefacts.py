"""Keeps what belongs to reports and is too large for them: files in the data folder, named by their hash."""

from __future__ import annotations

import logging
import re
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from grader import Report

logger = logging.getLogger(__name__)

FRESH_SECONDS = 3600.0
NAME = re.compile(r"[0-9a-f]{32}\.safetensors")


class ArtefactFolder:
    """Artefacts by name. One that is missing makes a report poorer by a picture and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, content: bytes) -> None:
        """Store one, whole or not at all. When that cannot be, a grade must not be lost for it."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
                file.write(content)
            Path(file.name).replace(self._folder / name)
        except OSError:
            logger.warning("artefact_not_kept", exc_info=True)

    def sweep(self, needed: Collection[str]) -> None:
        """Delete all others; but not those of late, whose reports are perhaps about to be stored."""
        if not self._folder.is_dir():
            return
        now = time.time()
        for path in self._folder.iterdir():
            if path.name not in needed and now - path.stat().st_mtime > FRESH_SECONDS:
                path.unlink(missing_ok=True)

    def of(self, report: Report) -> dict[str, bytes]:
        """Those that the report names and that are there."""
        names = [case.arrays for case in report.cases if case.arrays and NAME.fullmatch(case.arrays)]
        return {name: path.read_bytes() for name in names if (path := self._folder / name).is_file()}
