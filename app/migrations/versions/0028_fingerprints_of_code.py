"""Fingerprints of the code of attempts, by which those of a course are compared."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

INDEX = "ix_submissions_code"


def upgrade() -> None:
    op.add_column("submissions", sa.Column("code_form", sa.String(64)))
    op.add_column("submissions", sa.Column("code_text", sa.String(64)))
    op.add_column("submissions", sa.Column("code_statements", sa.Integer()))
    op.create_index(INDEX, "submissions", ["course_assignment_id", "code_form", "code_statements", "membership_id"])


def downgrade() -> None:
    op.drop_index(INDEX, "submissions")
    for column in ("code_statements", "code_text", "code_form"):
        op.drop_column("submissions", column)
