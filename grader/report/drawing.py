"""What vl-convert makes of a chart: an SVG document, and the JavaScript that draws charts in a browser.

vl-convert runs a JavaScript engine in the process and holds Python's interpreter lock meanwhile, so that all threads
stand still: for half a second of CPU time at the first picture, some 50 ms at the next ones, more than a second for the
JavaScript. A service therefore draws in a process of its own. It starts this file by path (so that nothing else of ours
is imported) and speaks lines of JSON with it: a chart, or null for the JavaScript, is answered by ``{"text": ...}`` or
``{"error": ...}``. The process ends with its standard input.
"""

from __future__ import annotations

import json
import sys
from typing import Any, BinaryIO

VEGA_LITE = "6.4"


def svg(spec: dict[str, Any]) -> str:
    """The chart as an SVG document of its own. Raises: ValueError: it is no chart in Vega-Lite."""
    # Imported here: 80 MB that only what draws should load.
    import vl_convert

    # Nothing in a chart has an address, and none would be followed.
    return vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE, allowed_base_urls=[])


def javascript() -> str:
    """A module that draws charts in a browser; it makes `window.vegaEmbed`. 900 kB, made anew each time."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)


def answer_lines(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each line until there are no more."""
    for line in requests:
        try:
            spec = json.loads(line)
            answer = {"text": javascript() if spec is None else svg(spec)}
        except Exception as exc:  # A chart that cannot be drawn says so, and the next one is drawn.
            answer = {"error": f"{type(exc).__name__}: {exc}"}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    answer_lines(sys.stdin.buffer, sys.stdout.buffer)
