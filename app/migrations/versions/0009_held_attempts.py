"""Holds: attempts that attacked the grader wait for a teacher's decision."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("submissions", sa.Column("held_at", sa.DateTime(timezone=True)))
    op.add_column("submissions", sa.Column("hold_decision", sa.String(16)))
    op.add_column("submissions", sa.Column("hold_decided_by", sa.String(200)))
    op.add_column("submissions", sa.Column("hold_decided_at", sa.DateTime(timezone=True)))
    op.add_column("submissions", sa.Column("hold_reason", sa.Text()))
