"""What Alembic runs for each upgrade: in the transaction that `database.py` began, all of it or nothing."""

from __future__ import annotations

from alembic import context

import waon_build.annotation.access  # noqa: F401 - its tables are part of the schema
from waon_build.annotation.models import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
