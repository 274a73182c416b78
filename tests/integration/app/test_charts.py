"""The process that draws the service's pictures."""

import asyncio
import gzip
import os
import signal

import pytest

from app.operations.charts import SMALL_CHART, ChartNotDrawn, ChartProcess
from tests.processes import children, command_line


def drawing_processes() -> list[int]:
    return [pid for pid in children(os.getpid(), recursive=True) if "drawing.py" in command_line(pid)]


async def test_nobody_waits_while_it_draws_nor_meets_a_chart_that_is_none_or_whose_reader_left() -> None:
    """In this process the interpreter's lock would be held for more than a second."""
    async with ChartProcess() as charts:
        waiting = asyncio.create_task(charts.javascript())
        turns = 0
        while not waiting.done():
            await asyncio.sleep(0.01)  # Sleeps: the turns of the event loop meanwhile are counted.
            turns += 1
        assert turns > 3
        assert b"window.vegaEmbed" in gzip.decompress(await waiting)
        with pytest.raises(ChartNotDrawn):
            await charts.svg({"mark": 5})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await charts.svg({**SMALL_CHART, "title": "nobody waits for this one"})
        assert "nobody" not in await charts.svg(SMALL_CHART)


async def test_process_that_died_is_started_again_and_ends_with_the_service(anyio_backend: str) -> None:
    async with ChartProcess() as charts:
        drawn = await charts.svg(SMALL_CHART)
        (pid,) = drawing_processes()
        os.kill(pid, signal.SIGKILL)
        # The first one that asks may still meet the dead one.
        try:
            again = await charts.svg(SMALL_CHART)
        except ChartNotDrawn:
            again = await charts.svg(SMALL_CHART)
        assert again == drawn
        assert len(drawing_processes()) == 1
        assert drawing_processes() != [pid]
    assert drawing_processes() == []
