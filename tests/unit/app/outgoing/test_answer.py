"""The pause that an answer asks for."""

from __future__ import annotations

import httpx
import pytest

from app.outgoing.client import Answer

NOON, LATER = "Sun, 01 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 2026 12:02:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "30"}, 30),
        ({"Retry-After": " 30 "}, 30),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "9" * 400}, 999_999_999),
        ({"Retry-After": LATER, "Date": NOON}, 120),
        ({"Retry-After": NOON, "Date": LATER}, 0),
        ({"Retry-After": NOON}, 0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "١٢"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Sun, 01 Mar 99999 12:00:00 GMT"}, None),
    ],
)
def test_pause_is_in_seconds_or_a_date_by_the_clock_of_the_other_side(
    headers: dict[str, str], seconds: float | None
) -> None:
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert Answer(503, httpx.Headers(encoded), b"").retry_after == seconds
