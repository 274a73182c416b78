"""Checks that can be sent twice, and letters that wait for the mail server."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
INDEX = "ix_checks_submitted_by_idempotency_key"


def upgrade() -> None:
    # A check is kept for a day, so nobody asks these of an earlier one.
    op.add_column("checks", sa.Column("sha256", sa.String(64), nullable=False, server_default=""))
    op.add_column("checks", sa.Column("submitted_by", sa.String(26), nullable=False, server_default=""))
    op.add_column("checks", sa.Column("idempotency_key", sa.String(255)))
    op.create_index(INDEX, "checks", ["submitted_by", "idempotency_key"], unique=True)
    op.create_table(
        "letters",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("membership_id", sa.String(26), nullable=False),
        sa.Column("assignment_id", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("waits_since", MOMENT, nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["membership_id"], ["memberships.id"], name="fk_letters_membership_id"),
        sa.PrimaryKeyConstraint("id", name="pk_letters"),
    )
    op.create_index("ix_letters_next_at", "letters", ["next_at"])


def downgrade() -> None:
    op.drop_table("letters")
    op.drop_index(INDEX, "checks")
    for column in ("idempotency_key", "submitted_by", "sha256"):
        op.drop_column("checks", column)
