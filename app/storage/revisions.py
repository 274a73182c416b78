"""The schema of the tables: its revisions, and the upgrade to the newest one by Alembic.

A new database gets the tables of the models at once. Migrations are for databases of earlier versions.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, insert, inspect, text

from app.storage.models import DEFAULT_COURSE, Base, Course

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parents[1] / "migrations"
# A table that exists in every version.
OURS = "submissions"


def tables_of(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()


def is_known(revision: str | None) -> bool:
    return revision is None or revision in known_revisions()


@cache
def _scripts() -> ScriptDirectory:
    # Imported here and below because it takes 0.2 s and is needed once.
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(MIGRATIONS))


def known_revisions() -> set[str]:
    """Return the revisions that can be upgraded to the schema of this version."""
    return {script.revision for script in _scripts().walk_revisions()}


def revisions_of(connection: Connection) -> tuple[str | None, str]:
    """Return the revision of the tables, and the newest one."""
    from alembic.migration import MigrationContext

    newest = _scripts().get_current_head()
    assert newest is not None
    return MigrationContext.configure(connection).get_current_revision(), newest


def upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        # The second of two concurrent upgrades waits, and finds nothing left to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('lstm-grader upgrade', 0))"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if revisions_of(connection)[0] is not None:
        command.upgrade(config, "head")
        return
    Base.metadata.create_all(connection)
    connection.execute(insert(Course).values(id=DEFAULT_COURSE, title="Default", language="ru", time_zone="UTC"))
    command.stamp(config, "head")
