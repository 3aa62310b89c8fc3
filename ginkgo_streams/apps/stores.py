"""Where snapshots go: the database and Redis, each when it is there; an alert when one is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from ginkgo_streams import messages as m
from ginkgo_streams.apps.alerts import raise_alert
from ginkgo_streams.config import Settings
from ginkgo_streams.engine.sink import Store
from ginkgo_streams.storage.database import StorageDown, address, connect
from ginkgo_streams.storage.schema import ensure
from ginkgo_streams.storage.snapshots import SnapshotStore
from ginkgo_streams.storage.views import ViewDown, Views


def stores(app: Any, settings: Settings) -> list[Store]:
    """The database always, Redis where one is configured."""
    found = [_database(app, settings)]
    if settings.redis is not None:
        redis = settings.redis
        views = Views(redis.host, redis.port, db=redis.db, password=redis.password.get_secret_value())

        async def write(snapshots: Sequence[m.Snapshot]) -> None:
            await asyncio.to_thread(views.put_portfolios, snapshots)

        found.append(_store(app, settings, "Redis", write, ViewDown))
    return found


def _database(app: Any, settings: Settings) -> Store:
    engine = connect(settings.database_url)
    store = SnapshotStore(engine)
    checked = False

    def save(snapshots: Sequence[m.Snapshot]) -> None:
        nonlocal checked
        if not checked:
            ensure(engine)
            checked = True
        store.save(snapshots)

    async def write(snapshots: Sequence[m.Snapshot]) -> None:
        await asyncio.to_thread(save, snapshots)

    return _store(app, settings, f"Database {address(settings.database_url)}", write, StorageDown)


def _store(
    app: Any, settings: Settings, name: str, write: Callable[[Sequence[m.Snapshot]], Awaitable[None]], down: type[BaseException]
) -> Store:
    async def alert(severity: Literal["info", "critical"], text: str) -> None:
        await raise_alert(app, "component_error", severity, settings.node.id, text, {"component": name})

    async def on_down(error: BaseException) -> None:
        await alert("critical", f"{name} is down: {error}")

    async def on_up() -> None:
        await alert("info", f"{name} is back")

    return Store(name, write, (down,), on_down, on_up)
