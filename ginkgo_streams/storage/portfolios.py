"""The rows of portfolios: what their owners made and want to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, Table, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ginkgo_streams.storage.database import attempt
from ginkgo_streams.storage.models import Portfolio, PortfolioTransition, PortfolioVersion, User
from ginkgo_streams.storage.snapshots import user_row
from ginkgo_streams.storage.upsert import insert_missing


class DuplicateName(Exception):
    """The user has a portfolio of this name already."""

    def __init__(self, name: str, user_id: str) -> None:
        super().__init__(f"user {user_id!r} already has a portfolio named {name!r}; choose another name or delete that one")


class PortfolioStore:
    """Portfolios in the database. Blocking. Every method raises StorageDown where the database does not answer."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def insert(
        self, portfolio_id: str, name: str, user_id: str, initial_cash: Decimal, config: Mapping[str, Any], *, autostart: bool = True
    ) -> Portfolio:
        """A new row, status created; an unknown user gets a row, too. Raises DuplicateName."""

        def work() -> Portfolio:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                users = User.__table__
                assert isinstance(users, Table)
                insert_missing(session.connection(), users, [user_row(user_id)])
                row = Portfolio(
                    uuid=portfolio_id, name=name, user_id=user_id, initial_cash=initial_cash, current_cash=initial_cash,
                    status="created", config=dict(config), autostart=autostart,
                )  # fmt: skip
                session.add(row)
                session.flush()
                return row

        try:
            return attempt(self.engine, f"saving portfolio {name!r}", work)
        except IntegrityError as error:
            stored = self.get(portfolio_id)
            if stored is not None and (stored.name, stored.user_id) == (name, user_id):
                return stored  # the first attempt was committed, its answer lost
            if "name" in str(error.orig):
                raise DuplicateName(name, user_id) from error
            raise

    def get(self, portfolio_id: str) -> Portfolio | None:
        """One row, None where there is none."""

        def work() -> Portfolio | None:
            with Session(self.engine, expire_on_commit=False) as session:
                return session.get(Portfolio, portfolio_id)

        return attempt(self.engine, f"reading portfolio {portfolio_id}", work)

    def list(self, *, user_id: str | None = None, status: str | None = None) -> Sequence[Portfolio]:
        """All rows, the oldest first; of one user, in one status."""
        statement = select(Portfolio).order_by(Portfolio.created_at, Portfolio.uuid)
        if user_id is not None:
            statement = statement.where(Portfolio.user_id == user_id)
        if status is not None:
            statement = statement.where(Portfolio.status == status)

        def work() -> Sequence[Portfolio]:
            with Session(self.engine, expire_on_commit=False) as session:
                return session.scalars(statement).all()

        return attempt(self.engine, "reading the portfolios", work)

    def versions(self, portfolio_id: str) -> Sequence[PortfolioVersion]:
        """The versions of a portfolio's config, the first one first; none before a node has taken the portfolio."""
        kept = PortfolioVersion
        statement = select(kept).where(kept.portfolio_id == portfolio_id).order_by(kept.version)

        def work() -> Sequence[PortfolioVersion]:
            with Session(self.engine, expire_on_commit=False) as session:
                return session.scalars(statement).all()

        return attempt(self.engine, f"reading the versions of portfolio {portfolio_id}", work)

    def transitions(self, portfolio_id: str) -> Sequence[PortfolioTransition]:
        """The changes of a portfolio's status, in the order in which they happened."""
        kept = PortfolioTransition
        statement = select(kept).where(kept.portfolio_id == portfolio_id).order_by(kept.seq, kept.at)

        def work() -> Sequence[PortfolioTransition]:
            with Session(self.engine, expire_on_commit=False) as session:
                return session.scalars(statement).all()

        return attempt(self.engine, f"reading the transitions of portfolio {portfolio_id}", work)

    def ids(self) -> Sequence[str]:
        """The ids of all portfolios."""

        def work() -> Sequence[str]:
            with self.engine.connect() as connection:
                return connection.scalars(select(Portfolio.uuid)).all()

        return attempt(self.engine, "reading the portfolios' ids", work)

    def delete(self, portfolio_id: str) -> bool:
        """Removes the row. Whether there was one."""

        def work() -> bool:
            with self.engine.begin() as connection:
                return bool(connection.execute(delete(Portfolio).where(Portfolio.uuid == portfolio_id)).rowcount)

        return attempt(self.engine, f"deleting portfolio {portfolio_id}", work)
