"""Codes and tokens of students' notebooks, and checks before handing in."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("assignment_id", sa.String(64)))
    op.create_table(
        "notebook_codes",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("membership_id", sa.String(26), nullable=False),
        sa.Column("assignment_id", sa.String(64), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["membership_id"], ["memberships.id"], name="fk_notebook_codes_membership_id"),
        sa.PrimaryKeyConstraint("id", name="pk_notebook_codes"),
        sa.UniqueConstraint("membership_id", name="uq_notebook_codes_membership_id"),
        sa.UniqueConstraint("sha256", name="uq_notebook_codes_sha256"),
    )
    op.create_table(
        "checks",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("membership_id", sa.String(26), nullable=False),
        sa.Column("assignment_id", sa.String(64), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("content", sa.LargeBinary()),
        sa.Column("job_status", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("claim", sa.String(26)),
        sa.Column("beat", sa.Integer(), nullable=False),
        sa.Column("report", sa.JSON()),
        sa.Column("source", sa.LargeBinary()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["membership_id"], ["memberships.id"], name="fk_checks_membership_id"),
        sa.PrimaryKeyConstraint("id", name="pk_checks"),
    )
    op.create_index("ix_checks_job_status_tries_id", "checks", ["job_status", "tries", "id"])
    op.create_index("ix_checks_membership_id_created_at", "checks", ["membership_id", "created_at"])


def downgrade() -> None:
    op.drop_table("checks")
    op.drop_table("notebook_codes")
    op.drop_column("tokens", "assignment_id")
