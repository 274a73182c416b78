"""Tokens of students, requests that can be sent twice, and diagnoses that can be counted."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

REPORTS = sa.table("reports", sa.column("id", sa.Integer()), sa.column("body", sa.JSON()))
AT_ONCE = 100


def upgrade() -> None:
    op.add_column("tokens", sa.Column("student", sa.String(200)))
    op.add_column("submissions", sa.Column("idempotency_key", sa.String(255)))
    op.create_index(
        "ix_submissions_submitted_by_idempotency_key", "submissions", ["submitted_by", "idempotency_key"], unique=True
    )
    diagnoses = op.create_table(
        "report_diagnoses",
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("report_id", "code", name="pk_report_diagnoses"),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_report_diagnoses_report_id"),
    )
    op.create_index("ix_report_diagnoses_code", "report_diagnoses", ["code"])
    last = 0
    while True:
        found = sa.select(REPORTS).where(REPORTS.c.id > last).order_by(REPORTS.c.id).limit(AT_ONCE)
        reports = op.get_bind().execute(found).all()
        if not reports:
            break
        rows = [
            {"report_id": id, "code": code}
            for id, body in reports
            for code in sorted({diagnosis["code"] for diagnosis in body.get("diagnoses", [])})
        ]
        op.bulk_insert(diagnoses, rows)
        last = reports[-1].id


def downgrade() -> None:
    op.drop_table("report_diagnoses")
    op.drop_index("ix_submissions_submitted_by_idempotency_key", "submissions")
    op.drop_column("submissions", "idempotency_key")
    op.drop_column("tokens", "student")
