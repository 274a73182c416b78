"""Concurrent claims: an index in the order of the queue, and one that allows a student one running submission."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# No student should have two. If one has, they are graded again, one after the other.
ONE_RUNNING_EACH = """
    UPDATE submissions SET job_status = 'queued', claim = NULL
    WHERE job_status = 'running' AND EXISTS (
        SELECT 1 FROM submissions AS other
        WHERE other.student = submissions.student AND other.job_status = 'running' AND other.id <> submissions.id
    )
"""


def upgrade() -> None:
    op.execute(ONE_RUNNING_EACH)
    op.create_index("ix_submissions_queue", "submissions", ["job_status", sa.text("priority DESC"), "arrival", "id"])
    running = sa.text("job_status = 'running'")
    op.create_index(
        "ix_submissions_running",
        "submissions",
        ["student"],
        unique=True,
        sqlite_where=running,
        postgresql_where=running,
    )
