"""Drawing by vl-convert: an SVG document of a chart, and the JavaScript that draws charts in a browser.

vl-convert runs a JavaScript engine in the process. Meanwhile it holds Python's interpreter lock, so that all threads
stand still: for half a second of CPU time at the first picture, some 50 ms at the next ones, more than a second for the
JavaScript. A service therefore draws in a process of its own. It starts this file by path (so that nothing else of ours
is imported) and speaks lines of JSON with it: a chart, or null for the JavaScript, is answered by ``{"text": ...}`` or
``{"error": ...}``. The process ends with its standard input.
"""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

VEGA_LITE = "6.4"
NICENESS = 5


def svg(spec: dict[str, Any]) -> str:
    """Draw the chart as a standalone SVG document. Raises: ValueError: it is not a Vega-Lite chart."""
    # Imported here: it takes 80 MB, and only drawing needs it.
    import vl_convert

    # Charts contain no addresses, and none would be fetched.
    return vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE, allowed_base_urls=[])


def javascript() -> str:
    """Make the module that draws charts in a browser (`window.vegaEmbed`). 900 kB, made anew each time."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)


def answer_lines(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each line until the input ends."""
    for line in requests:
        try:
            spec = json.loads(line)
            answer = {"text": javascript() if spec is None else svg(spec)}
        except Exception as exc:  # Report a chart that cannot be drawn, and go on with the next.
            answer = {"error": f"{type(exc).__name__}: {exc}"}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def yield_to_others() -> None:
    """Lower this process's weight like that of runs: at a start, TensorFlow is needed before pictures."""
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    # Linux may divide cores among sessions before it compares their processes.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS), encoding="ascii")


if __name__ == "__main__":
    yield_to_others()
    answer_lines(sys.stdin.buffer, sys.stdout.buffer)
