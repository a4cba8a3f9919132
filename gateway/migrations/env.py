"""Alembic's entry: runs the revisions on the connection that the adapter's `migrate` hands over."""

from alembic import context

from gateway.adapters.database import partial_indexes  # noqa: F401  (part of the schema)
from gateway.adapters.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    transactional_ddl=True,
    compare_type=True,
)
context.run_migrations()
