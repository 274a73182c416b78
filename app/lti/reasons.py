"""Logs the reasons of refusals whose pages only say what to do."""

import contextlib
import logging
from collections.abc import AsyncIterator

from app.errors import AppError

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def reasons_logged(event: str, **where: str) -> AsyncIterator[None]:
    """Log the reason of a refusal inside this block or function; the page only says what to do.

    Args:
        where: log fields.
    """
    try:
        yield
    except AppError as exc:
        facts = {name: value for name, value in exc.params.items() if name != "again"}
        logger.warning(event, extra={"error": type(exc).__name__, **where, **facts})
        raise
