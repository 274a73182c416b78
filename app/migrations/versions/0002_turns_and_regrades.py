"""Students take turns in the queue, and submissions can be graded again."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default is for existing rows; the service always gives a value.
    op.add_column("submissions", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "regrades",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("requested_by", sa.String(26), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("selection", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_regrades"),
        sa.ForeignKeyConstraint(["requested_by"], ["tokens.id"], name="fk_regrades_requested_by"),
    )
    op.create_table(
        "regrade_items",
        sa.Column("regrade_id", sa.String(26), nullable=False),
        sa.Column("submission_id", sa.String(26), nullable=False),
        sa.Column("old_report_id", sa.Integer(), nullable=False),
        sa.Column("new_report_id", sa.Integer()),
        sa.PrimaryKeyConstraint("regrade_id", "submission_id", name="pk_regrade_items"),
        sa.ForeignKeyConstraint(["regrade_id"], ["regrades.id"], name="fk_regrade_items_regrade_id"),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name="fk_regrade_items_submission_id"),
        sa.ForeignKeyConstraint(["old_report_id"], ["reports.id"], name="fk_regrade_items_old_report_id"),
        sa.ForeignKeyConstraint(["new_report_id"], ["reports.id"], name="fk_regrade_items_new_report_id"),
    )
    op.create_index("ix_regrade_items_submission_id", "regrade_items", ["submission_id"])
