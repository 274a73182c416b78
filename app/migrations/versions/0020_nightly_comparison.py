"""The nightly comparison with a platform, and grades that outlive their attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for name in ("waits_since", "next_at", "checked_at"):
        op.add_column("lti_contexts", sa.Column(name, MOMENT))
    op.add_column("lti_contexts", sa.Column("check_error", sa.String(500)))
    with op.batch_alter_table("lti_scores") as batch:
        batch.add_column(sa.Column("keeps", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("differs_since", MOMENT))
        batch.add_column(sa.Column("there_points", sa.Double()))
        batch.add_column(sa.Column("there_max", sa.Double()))
    with op.batch_alter_table("lti_scores") as batch:
        batch.alter_column("keeps", server_default=None)
