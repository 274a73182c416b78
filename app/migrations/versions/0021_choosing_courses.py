"""LTI: which course here a platform's course is, asked and answered; the assignment that a link's parameters name."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

ID = sa.String(26)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("lti_links", sa.Column("named", sa.String(200)))
    op.create_table(
        "lti_questions",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("platform_id", ID, nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_lti_questions"),
        sa.ForeignKeyConstraint(["platform_id"], ["lti_platforms.id"], name="fk_lti_questions_platform_id"),
    )
    op.create_index("ix_lti_questions_platform_id", "lti_questions", ["platform_id"])
    op.create_index("ix_lti_questions_expires_at", "lti_questions", ["expires_at"])
    op.create_table(
        "lti_codes",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("course_id", ID, nullable=False),
        sa.Column("made_by", sa.String(200), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_lti_codes"),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name="fk_lti_codes_course_id"),
    )
    op.create_index("ix_lti_codes_course_id", "lti_codes", ["course_id"])
