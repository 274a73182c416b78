"""LTI: the maximum that a column of a platform's grade book had when its grades were last compared."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lti_links", sa.Column("lineitem_max", sa.Double()))
