"""The turn in which one process finds or makes the line item of a link."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lti_links", sa.Column("lineitem_at", sa.DateTime(timezone=True)))
