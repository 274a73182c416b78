"""Takes from a document what a program that prints or reads it would obey: orders to a build server, raw controls.

Build servers look for orders in what is printed: GitHub for ``::name::`` at the start of a line and ``##[name]``, Azure
for ``##vso[``, TeamCity for ``##teamcity[``. Whoever can set a variable of a build can have the grade.

Sources: `ActionCommand.TryParse` in src/Runner.Common of https://github.com/actions/runner; "Logging commands" of Azure
Pipelines; "Service Messages" of TeamCity.
"""

from __future__ import annotations

import json
import re
import struct
from typing import Any

from grader.report.server_paths import CONTROL

COMMAND = re.compile(r"^(?P<before>\s*):(?=:)|\#(?=\#\w*\[)", re.MULTILINE)


def without_commands(document: str, media_type: str = "text/plain") -> str:
    """Break orders to a build server: by escapes where the form has some, so that it says the same, else by a blank.

    >>> without_commands("::error::x"), without_commands('{"x": "##vso[y]"}', "application/json")
    (': :error::x', '{"x": "\\\\u0023#vso[y]"}')
    """

    def broken(found: re.Match[str]) -> str:
        before = found["before"] or ""
        char = found[0].removeprefix(before)
        if media_type == "application/json":
            return f"{before}\\u{ord(char):04x}"
        return f"{before}&#{ord(char)};" if media_type in ("text/html", "application/xml") else f"{before}{char} "

    return COMMAND.sub(broken, document)


def json_of(value: Any, indent: int | None = None) -> str:
    """Write JSON that says exactly this, and harms nobody who prints it."""
    return without_commands(
        CONTROL.sub(_escaped, json.dumps(value, ensure_ascii=False, indent=indent)), "application/json"
    )


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{unit:04x}" for (unit,) in struct.iter_unpack(">H", units))
