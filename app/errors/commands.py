"""Errors that stop a command. No client sees one, so their texts are here."""

from typing import ClassVar

from app.errors import AppError


class CannotStart(AppError):
    """An error that stops a command. Attributes: text: the message for the operator; `params` fill its placeholders."""

    text: ClassVar[str] = ""

    def __str__(self) -> str:
        return self.text.format(**self.params)


class NotPossible(CannotStart):
    """The command cannot do this. params: reason"""

    text = "{reason}"


class DataDirInUse(CannotStart):
    """Another service runs on the same data."""

    text = "another service uses {data_dir}. Stop it, or set LSTM_GRADER_DATA_DIR to another folder"


class DatabaseOutdated(CannotStart):
    """The tables belong to an older version, or are missing."""

    text = "the database is at revision {current}, and this version works with {expected}. Run: lstm-grader db upgrade"


class DatabaseNewer(CannotStart):
    """The tables belong to a newer version."""

    text = (
        "the database is at revision {current}, which a newer lstm-grader has made, or one from before 1.0.0; this one "
        "knows revisions up to {expected}. Install the newer version again, or restore a backup that was made before "
        "the update"
    )


class DatabaseMissing(CannotStart):
    """A command needs a database, and no service has created one yet."""

    text = (
        "there is no database {database}. A service makes it when it first starts: lstm-grader serve. If there should "
        "be one, check LSTM_GRADER_DATA_DIR and LSTM_GRADER_DATABASE_URL"
    )


class DatabaseLost(CannotStart):
    """The database file has disappeared, is empty, or has lost data."""

    text = (
        "{database} {reason}, by the record in {marker}. Nothing was changed. Put the file back with the -wal file "
        "beside it, or restore a backup: lstm-grader db restore FILE. To go on without the lost data, delete {marker}"
    )


class DatabaseForeign(CannotStart):
    """Another program has made the tables."""

    text = "{database} is a database of another program. Nothing was changed. Move it away, or choose another name"


class DatabaseUnusable(CannotStart):
    """The path in the settings cannot hold a database."""

    text = "{database} {reason}"


class OwnerTokenMissing(CannotStart):
    """Services that share a database would each revoke the other's owner token."""

    text = "services on the same PostgreSQL need the same owner's token: set LSTM_GRADER_OWNER_TOKEN"


class NothingToShare(CannotStart):
    """A worker was started on SQLite, whose service grades by itself."""

    text = (
        "a service on SQLite grades by itself; a separate worker needs a database that both can reach: "
        "LSTM_GRADER_DATABASE_URL=postgresql://..."
    )


class BackupUnusable(CannotStart):
    """A copy of a database is damaged, or of a newer version."""

    text = "{backup} cannot be restored: {reason}"


class BackupElsewhere(CannotStart):
    """PostgreSQL is backed up by its own tools."""

    text = (
        "this is for SQLite; PostgreSQL is backed up with pg_dump and restored with pg_restore, see docs/operations.md"
    )
