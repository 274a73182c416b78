"""Batches, the versions that reports were graded by, and what workers say of themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ID = sa.String(26)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("reports", sa.Column("assignment_digest", sa.String(64)))
    op.add_column("reports", sa.Column("grader_version", sa.String(100)))
    _copy_out_of_reports()
    op.add_column("workers", sa.Column("about", sa.JSON()))
    op.execute("UPDATE workers SET about = '{}'")
    with op.batch_alter_table("workers") as batch:
        batch.alter_column("about", existing_type=sa.JSON(), nullable=False)
    _batches()


def _copy_out_of_reports() -> None:
    if op.get_bind().dialect.name == "postgresql":
        digest, version = "body->'assignment'->>'digest'", "body->'receipt'->>'grader_version'"
    else:
        digest, version = "json_extract(body, '$.assignment.digest')", "json_extract(body, '$.receipt.grader_version')"
    op.execute(f"UPDATE reports SET assignment_digest = {digest}, grader_version = {version}")  # noqa: S608 constants


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", ID, nullable=False),
        sa.Column("course_id", ID, nullable=False),
        sa.Column("assignment_id", sa.String(64), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("made_by", sa.String(200), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("read_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name="fk_batches_course_id"),
    )
    op.create_index("ix_batches_course_id_id", "batches", ["course_id", "id"])
    op.create_table(
        "batch_files",
        sa.Column("id", ID, nullable=False),
        sa.Column("batch_id", ID, nullable=False),
        sa.Column("path", sa.String(500), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("platform", sa.String(16)),
        sa.Column("platform_id", sa.String(64)),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.Column("content", sa.LargeBinary()),
        sa.Column("membership_id", ID),
        sa.Column("matched_by", sa.String(16)),
        sa.Column("submission_id", ID),
        sa.PrimaryKeyConstraint("id", name="pk_batch_files"),
        *(
            sa.ForeignKeyConstraint([f"{what}_id"], [f"{table}.id"], name=f"fk_batch_files_{what}_id")
            for what, table in (("batch", "batches"), ("membership", "memberships"), ("submission", "submissions"))
        ),
    )
    op.create_index("ix_batch_files_batch_id_state_id", "batch_files", ["batch_id", "state", "id"])
    for column in ("membership_id", "submission_id"):
        op.create_index(f"ix_batch_files_{column}", "batch_files", [column])
