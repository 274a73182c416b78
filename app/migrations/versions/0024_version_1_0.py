"""The tables of version 1.0.0, from which upgrades begin; a new database gets those of today (`storage.revisions`)."""

revision = "0024"
down_revision = None


def upgrade() -> None:
    """Do nothing: databases of that version have it, and no other one gets it."""
