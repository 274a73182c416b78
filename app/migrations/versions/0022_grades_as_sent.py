"""LTI: what was sent with a grade, the grade that outlives its attempts, and when a difference was mended."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("lti_scores", sa.Column("submitted_at", MOMENT))
    op.add_column("lti_scores", sa.Column("comment_sha256", sa.String(64)))
    op.add_column("lti_scores", sa.Column("kept_points", sa.Double()))
    op.add_column("lti_scores", sa.Column("kept_max", sa.Double()))
    op.add_column("lti_scores", sa.Column("mended_at", MOMENT))
    op.execute("UPDATE lti_scores SET submitted_at = delivered_at, mended_at = differs_since")
    op.execute("UPDATE lti_scores SET kept_points = points, kept_max = max_points WHERE keeps")
    with op.batch_alter_table("lti_scores") as batch:
        batch.drop_column("keeps")
