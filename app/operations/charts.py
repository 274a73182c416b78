"""Draws the pictures of reports in a separate process, which is warm before the first reader needs it.

In the service's process each picture would block all other requests (`drawing`). One process is enough, because the
reader's browser draws, with JavaScript that is built once at the start. Only readers without scripts, the API and
reports as files need an SVG.
"""

import asyncio
import contextlib
import gzip
import json
import logging
import sys
from typing import Any, Protocol

from app.background import Background
from grader.report.pictures import drawing

logger = logging.getLogger(__name__)

#: Longer than any picture needs on a busy machine.
ANSWER_SECONDS = 60.0
ANSWER_BYTES = 64_000_000
SMALL_CHART = {"data": {"values": [{"x": 0, "y": 0}]}, "mark": "line", "encoding": {"x": {"field": "x"}}}


class ChartNotDrawn(Exception):
    """A fault of ours: the drawing process did not answer, or could not draw."""


class Charts(Protocol):
    async def svg(self, spec: dict[str, Any]) -> str: ...

    async def javascript(self) -> bytes:
        """Return the module that draws in a browser, compressed by gzip."""
        ...


class ChartProcess(Background):
    """The drawing process, as an async context manager. If it dies, the next picture starts it again."""

    NAME = "warm-up of charts"

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._javascript: bytes | None = None
        self._making = asyncio.Lock()

    async def __aexit__(self, *exc_info: object) -> None:
        await super().__aexit__(*exc_info)
        async with self._turn:
            await self._end()

    async def svg(self, spec: dict[str, Any]) -> str:
        """Draw the chart as an SVG document. Raises: ChartNotDrawn"""
        return await self._ask(spec)

    async def javascript(self) -> bytes:
        """Return the module that draws in a browser, compressed by gzip. Raises: ChartNotDrawn"""
        async with self._making:
            if self._javascript is None:
                text = await self._ask(None)
                self._javascript = await asyncio.to_thread(gzip.compress, text.encode(), mtime=0)
            return self._javascript

    async def _work(self) -> None:
        try:
            await self.javascript()
            await self.svg(SMALL_CHART)
        except ChartNotDrawn:
            logger.exception("charts_not_ready")
        else:
            logger.info("charts_ready")

    async def _ask(self, question: dict[str, Any] | None) -> str:
        async with self._turn:
            try:
                process = self._process = await self._running()
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(json.dumps(question).encode() + b"\n")
                async with asyncio.timeout(ANSWER_SECONDS):
                    await process.stdin.drain()
                    answer = json.loads(await process.stdout.readuntil(b"\n"))
            except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as exc:
                await self._end()
                raise ChartNotDrawn(f"the drawing process did not answer: {exc!r}") from exc
            except BaseException:
                # The caller was cancelled, and the next one must not read this answer.
                await self._end()
                raise
        if "error" in answer:
            raise ChartNotDrawn(answer["error"])
        return str(answer["text"])

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", drawing.__file__),
            env={},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=ANSWER_BYTES,
            # Ctrl-C reaches only the service, which then ends this process.
            start_new_session=True,
        )

    async def _end(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None
