"""LTI: the sites of a platform whose pages may show ours in a frame."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lti_platforms", sa.Column("origins", sa.Text(), nullable=False, server_default=""))
