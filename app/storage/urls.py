"""URLs of databases, separate from the engines, so that settings can be read before the drivers are imported."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}


def database_url(url: str) -> URL:
    """Return the URL with our driver filled in.

    Raises:
        ValueError: it is not a URL for SQLite or PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as exc:  # For example, a port that is not a number.
        raise ValueError("expected a URL such as postgresql://user:password@host/name") from exc
    driver = DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise ValueError(f"expected a URL that begins with {' or '.join(f'{name}:' for name in DRIVERS)}")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ValueError("expected the path of a file, such as sqlite:////srv/lstm-grader/db.sqlite3")
    return parsed.set(drivername=driver)
