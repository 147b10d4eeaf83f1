"""Alembic's entry: runs inside the transaction that pedidos.migrations opened and locked."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
