"""The bytes of files at the end of their rows: SQLite reads through them to reach the columns behind them."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

RUNNING = sa.text("job_status = 'running'")


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    # Made again below, as in 0025.
    op.drop_index("ix_submissions_queue", "submissions")
    op.drop_index("ix_submissions_running", "submissions")
    for table in ("submissions", "batch_files", "checks"):
        names = [column["name"] for column in sa.inspect(connection).get_columns(table)]
        order = tuple(sorted(names, key=lambda name: name == "content"))
        with op.batch_alter_table(table, recreate="always", partial_reordering=[order]):
            pass
    op.create_index("ix_submissions_queue", "submissions", ["job_status", sa.text("priority DESC"), "arrival", "id"])
    op.create_index("ix_submissions_running", "submissions", ["membership_id"], unique=True, sqlite_where=RUNNING)


def downgrade() -> None:
    """Do nothing: the earlier version finds its columns by name."""
