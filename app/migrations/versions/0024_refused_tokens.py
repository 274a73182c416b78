"""LTI: grades that wait because a platform gives no token."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lti_scores", sa.Column("token_refused", sa.Boolean(), nullable=False, server_default=sa.false()))
