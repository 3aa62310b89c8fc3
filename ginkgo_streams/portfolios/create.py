"""Creating a portfolio: validate, mint its id, keep its row, tell the cluster."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ginkgo_streams.commands import SendFailed, portfolio_command, reach, run, send_commands_now
from ginkgo_streams.components import installed
from ginkgo_streams.config import Settings
from ginkgo_streams.domain.config import validate_config
from ginkgo_streams.engine.provision import NoBrokers, TopicMismatch
from ginkgo_streams.messages import ControlCommand
from ginkgo_streams.placement_key import mint_portfolio_id, weights
from ginkgo_streams.portfolios.store import open_store
from ginkgo_streams.storage.database import StorageDown
from ginkgo_streams.storage.models import Portfolio
from ginkgo_streams.storage.portfolios import PortfolioStore

log = logging.getLogger(__name__)

MAX_CASH = Decimal(10) ** 11
"""CNY. What DECIMAL(20,8) holds is ten times as much; a portfolio may grow."""


class InvalidPortfolio(Exception):
    """A portfolio that cannot be created. `errors` has everything that is wrong."""

    def __init__(self, errors: Sequence[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("the portfolio is not valid:\n" + "\n".join(f"  {error}" for error in self.errors))


@dataclass(frozen=True, slots=True)
class NewPortfolio:
    """What an owner gives. initial_cash: CNY. config: components and their parameters, as in the quickstart."""

    name: str
    user_id: str
    initial_cash: Decimal
    config: Mapping[str, Any] = field(default_factory=dict)

    def errors(self) -> list[str]:
        """Everything that is wrong with it."""
        found = []
        if not (1 <= len(self.name) <= 255 and self.name.isprintable() and self.name.strip()):
            found.append(f"name is {self.name[:300]!r}: expected 1 to 255 printable characters")
        if not (1 <= len(self.user_id) <= 64 and self.user_id.isprintable() and self.user_id.strip()):
            found.append(f"user_id is {self.user_id[:100]!r}: expected 1 to 64 printable characters")
        if not (self.initial_cash.is_finite() and 0 < self.initial_cash <= MAX_CASH):
            found.append(f"initial_cash is {self.initial_cash}: expected more than 0 and at most {MAX_CASH:f} CNY")
        elif self.initial_cash != self.initial_cash.quantize(Decimal("0.0001")):
            found.append(f"initial_cash is {self.initial_cash}: expected at most 4 decimals")
        return [*found, *validate_config(self.config, installed())]


def create_portfolio(settings: Settings, store: PortfolioStore, portfolio: NewPortfolio, *, start: bool = True) -> str:
    """Creates a portfolio and returns its id; a node will take it, and start it unless told not to.

    Raises InvalidPortfolio, DuplicateName, StorageDown, and NoBrokers, TopicMismatch or SendFailed, after which there is no row.
    """
    if errors := portfolio.errors():
        raise InvalidPortfolio(errors)
    try:
        run(reach(settings))  # before there is a row: it may take a minute, and the user may give up
    except (NoBrokers, TopicMismatch) as error:
        raise type(error)(f"{error}. Portfolio {portfolio.name!r} was not created") from error
    slots = settings.kafka.slots
    portfolio_id = mint_portfolio_id(weights(store.ids(), slots), slots)
    row = store.insert(portfolio_id, portfolio.name, portfolio.user_id, portfolio.initial_cash, portfolio.config, autostart=start)
    try:
        send_commands_now(settings, _commands(row))
    except (NoBrokers, TopicMismatch) as error:
        raise type(error)(f"{error}. {_undone(store, portfolio_id, portfolio.name)}") from error
    except SendFailed as error:
        # The broker may have it all the same: the row stays, and the next start of livecore sends the same commands again.
        raise SendFailed(
            f"{error}. Portfolio {portfolio_id} ({portfolio.name!r}) is kept; see `ginkgo portfolio show {portfolio_id}`"
        ) from error
    return portfolio_id


def resend_created(settings: Settings, store: PortfolioStore) -> int:
    """Sends the commands of every row again that no node has answered to (a crash between row and command). Returns how many.

    Raises what `create_portfolio` raises of database and Kafka.
    """
    waiting = [row for row in store.list(status="created") if row.epoch < 0]
    if waiting:
        send_commands_now(settings, [command for row in waiting for command in _commands(row)])
        log.info("Sent the commands of %d portfolios again that no node had answered to", len(waiting))
    return len(waiting)


async def resend_at_start(settings: Settings) -> None:
    """`resend_created` beside a start, which does not wait for a database: what fails is said, and tried at the next start."""

    def work() -> None:
        store = open_store(settings)
        try:
            resend_created(settings, store)
        finally:
            store.engine.dispose()

    try:
        await asyncio.to_thread(work)
    except (StorageDown, NoBrokers, TopicMismatch, SendFailed) as error:
        log.warning("Portfolios that no node has answered to are not sent again now: %s", error)


def _commands(row: Portfolio) -> list[ControlCommand]:
    cash = int(row.initial_cash) if row.initial_cash == int(row.initial_cash) else float(row.initial_cash)
    params = {"name": row.name, "user_id": row.user_id, "initial_cash": cash, "config": row.config}
    commands = [portfolio_command("portfolio.create", row.uuid, params, once=True)]
    return [*commands, portfolio_command("portfolio.start", row.uuid, once=True)] if row.autostart else commands


def _undone(store: PortfolioStore, portfolio_id: str, name: str) -> str:
    try:
        store.delete(portfolio_id)
    except StorageDown as error:
        return f"Portfolio {name!r} is in the database as {portfolio_id} and is sent again when livecore starts ({error})"
    return f"Portfolio {name!r} was not created"
