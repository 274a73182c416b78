"""The tables of procrastinate, the queue on PostgreSQL."""

from importlib.metadata import version

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """As the installed version wants them. Which that was stands in the table's comment: a later revision, for a
    version with more in its `sql/migrations`, reads there what a database lacks.
    """
    if op.get_bind().dialect.name == "postgresql":
        # A comment takes no parameters. A version holds no quote.
        made_by = f"COMMENT ON TABLE procrastinate_jobs IS 'made by procrastinate {version('procrastinate')}';"
        op.get_bind().exec_driver_sql((SchemaManager.get_schema() + made_by).replace("%", "%%"))
