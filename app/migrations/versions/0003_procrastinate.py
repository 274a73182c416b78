"""Nothing now. It made the tables of procrastinate, the queue on PostgreSQL until revision 0007 removed them."""

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
