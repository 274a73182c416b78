"""Alembic's entry point: runs migrations on the connection and in the transaction of `app.storage.database`."""

from alembic import context

from app.storage.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot change a column in place.
)
with context.begin_transaction():
    context.run_migrations()
