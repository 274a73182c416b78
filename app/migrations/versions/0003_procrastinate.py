"""The tables of procrastinate, the queue on PostgreSQL."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# A copy of what version 3.10 brings (its `sql/schema.sql`): a later version would bring its own, which later revisions
# here could not be sure of. They copy what that version's `sql/migrations` add to this.
SCHEMA = Path(__file__).parents[1] / "procrastinate-3.10.sql"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql(SCHEMA.read_text(encoding="utf-8").replace("%", "%%"))
