"""The log: the form of its lines, and what may not stand in them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from app.log_config import configure_logging, request_id_var, submission_id_var

logger = logging.getLogger("app.test")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_ids_afterwards() -> Iterator[None]:
    yield
    request_id_var.set(None)
    submission_id_var.set(None)


def test_lines_are_json_with_fields_and_ids_and_a_traceback_is_one_field():
    stream = io.StringIO()
    configure_logging("info", stream)
    request_id_var.set("r1")
    submission_id_var.set("s1")
    try:
        raise ValueError("wrong")
    except ValueError:
        logger.exception("failed", extra={"status": "passed"})
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"]) == ("failed", "error")
    assert (line["status"], line["request_id"], line["submission_id"]) == ("passed", "r1", "s1")
    assert "ValueError: wrong" in line["traceback"]


def test_a_terminal_gets_readable_lines_that_no_value_can_break():
    stream = Terminal()
    configure_logging("info", stream)
    logger.info("graded", extra={"what": "a\n\x1b[31mb"})
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(r'info    graded what="a\n\u001b[31mb"')


@pytest.mark.parametrize(("level", "events"), [("debug", ["odd", "beware"]), ("error", [])])
def test_libraries_and_the_server_warn_and_say_nothing_else(level, events):
    stream = io.StringIO()
    configure_logging(level, stream)
    logger.warning("odd")
    logging.getLogger("uvicorn.access").info("GET /enter?token=secret")
    logging.getLogger("a_library").info("hello")
    logging.getLogger("a_library").warning("beware")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == events
