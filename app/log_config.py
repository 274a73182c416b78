"""Log formatters and handlers; no other module of `app` configures logging.

An event name is constant, facts are fields. On a terminal a line reads ``12:00:01 info graded status=passed``;
elsewhere it is one JSON object. Lines about a request or a submission carry its id.
"""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

request_id_var: ContextVar[str | None] = ContextVar("request_id", default=None)
submission_id_var: ContextVar[str | None] = ContextVar("submission_id", default=None)

#: The packages that log at the operator's level. Libraries log only warnings, because their other lines may hold
#: secrets, as HTTPX's hold the addresses of webhooks.
OURS = ("app", "grader", "reference")
# The attributes of every record; all others come from `extra`.
RECORD_KEYS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Log to `stream`, by default to standard error: readable lines on a terminal, JSON lines elsewhere."""
    stream = stream or sys.stderr  # looked up now, because it may have been replaced since this module was loaded
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TerminalFormatter() if stream.isatty() else JSONFormatter())
    handler.addFilter(add_ids)
    lowest = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(lowest, logging.WARNING), handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(lowest)
    # Its lines repeat ours, and contain the query, which ours omit.
    logging.getLogger("uvicorn.access").disabled = True


def add_ids(record: logging.LogRecord) -> bool:
    for name, variable in (("request_id", request_id_var), ("submission_id", submission_id_var)):
        if not hasattr(record, name) and (value := variable.get()) is not None:
            setattr(record, name, value)
    return True


def fields(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in RECORD_KEYS}


class JSONFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TerminalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        # Values in JSON, where a line break or an escape sequence is harmless.
        facts = "".join(
            f" {key}={json.dumps(value, ensure_ascii=True, default=str)}" for key, value in fields(record).items()
        )
        line = f"{time} {record.levelname.lower():<7} {record.getMessage()}{facts}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
