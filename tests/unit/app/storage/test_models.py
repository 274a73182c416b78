"""Ids and moments as the tables keep them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from app.storage.models import ID_ALPHABET, UTCDateTime, base, new_id


def test_ids_sort_by_the_time_they_were_made(monkeypatch):
    ids = []
    monkeypatch.setattr(base, "_newest_id_milliseconds", 0)
    # The last ones by a clock that was set back.
    for millisecond in (0, 1, 5, 10**12, 2 * 10**12, 1, 1):
        monkeypatch.setattr("time.time_ns", lambda at=millisecond: at * 1_000_000)
        ids.append(new_id())
    assert ids == sorted(set(ids))
    assert {len(id) for id in ids} == {26}
    assert set("".join(ids)) <= set(ID_ALPHABET)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "postgresql"])
def test_moments_come_back_in_utc(dialect):
    moscow = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=3)))
    column = UTCDateTime()
    stored = column.process_bind_param(moscow, dialect)
    assert column.process_result_value(stored, dialect) == datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
