"""Removes from a document what a program that prints or reads it would obey: build server commands, control characters.

Build servers look for commands in printed text: GitHub for ``::name::`` at the start of a line and ``##[name]``, Azure
for ``##vso[``, TeamCity for ``##teamcity[``. A student who can set a build variable can set the grade.

Sources: `ActionCommand.TryParse` in src/Runner.Common of https://github.com/actions/runner; "Logging commands" of Azure
Pipelines; "Service Messages" of TeamCity.
"""

import json
import re
import struct
from typing import Any

from grader.report.server_paths import CONTROL

COMMAND = re.compile(r"^(?P<before>[^\S\n]*):(?=:)|\#(?=\#\w*\[)", re.MULTILINE)


def without_commands(document: str, media_type: str = "text/plain") -> str:
    """Disarm build server commands: by an escape where the format has one, which keeps the content, else by a space.

    >>> without_commands("::error::x"), without_commands('{"x": "##vso[y]"}', "application/json")
    (': :error::x', '{"x": "\\\\u0023#vso[y]"}')
    """

    def disarm(match: re.Match[str]) -> str:
        before = match["before"] or ""
        char = match[0].removeprefix(before)
        if media_type == "application/json":
            return f"{before}\\u{ord(char):04x}"
        return f"{before}&#{ord(char)};" if media_type in ("text/html", "application/xml") else f"{before}{char} "

    return COMMAND.sub(disarm, document)


def json_of(value: Any, indent: int | None = None) -> str:
    """Write JSON with exactly this content that is safe to print."""
    return without_commands(
        CONTROL.sub(_escaped, json.dumps(value, ensure_ascii=False, indent=indent)), "application/json"
    )


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{unit:04x}" for (unit,) in struct.iter_unpack(">H", units))
