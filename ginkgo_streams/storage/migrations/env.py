"""How alembic runs our migrations: on the connection that `storage.schema.upgrade` (or a developer's command line) gives it."""

from __future__ import annotations

from alembic import context

from ginkgo_streams.storage.database import connect
from ginkgo_streams.storage.models import Base

given = context.config.attributes.get("connection")
if given is not None:
    context.configure(connection=given, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    url = context.get_x_argument(as_dictionary=True)["url"]
    with connect(url).connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
