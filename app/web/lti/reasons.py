"""The log of refusals whose pages say only what to do."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from app.errors import AppError

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def reasons_logged(event: str) -> Iterator[None]:
    """Log why a platform's request is refused; its page says what to do instead."""
    try:
        yield
    except AppError as exc:
        facts = {name: value for name, value in exc.params.items() if name != "again"}
        logger.warning(event, extra={"error": type(exc).__name__, **facts})
        raise
