"""Runs the migrations on the connection that `autoscaler.journal.schema` hands over, inside its transaction."""

from alembic import context

from autoscaler.journal import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    version_table=tables.SCHEMA_TABLE,
    render_as_batch=True,  # SQLite changes a column by copying its table
)
with context.begin_transaction():
    context.run_migrations()
