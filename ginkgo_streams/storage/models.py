"""The tables of the relational database (contracts section 4, MySQL), typed; MariaDB, MySQL and SQLite alike."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CHAR,
    JSON,
    BigInteger,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Numeric,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine


class Money(TypeDecorator[Decimal]):
    """DECIMAL(20,8) in CNY. SQLite has no decimals and would keep a binary float: there it is text."""

    impl = Numeric(20, 8)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column type of a database."""
        return dialect.type_descriptor(String(32) if dialect.name == "sqlite" else Numeric(20, 8))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """To the database."""
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """From the database."""
        return None if value is None else Decimal(value)


class Moment(TypeDecorator[datetime]):
    """A time in UTC with milliseconds. Takes and gives aware datetimes; a naive one is refused."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column type of a database: MySQL's would drop the milliseconds."""
        return dialect.type_descriptor(mysql.DATETIME(fsp=3) if dialect.name in ("mysql", "mariadb") else DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map = {Decimal: Money, datetime: Moment, dict[str, Any]: JSON}  # noqa: RUF012


def now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


class User(Base):
    """A person or program that owns portfolios. Hashes only, never a password or key."""

    __tablename__ = "users"

    uuid: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16), default="trader")
    password_hash: Mapped[str | None] = mapped_column(String(255))
    api_key_hash: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=now)


class ApiKey(Base):
    """An API key of a user, by its hash."""

    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(CHAR(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.uuid", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    key_hash: Mapped[str] = mapped_column(String(255), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Portfolio(Base):
    """A portfolio as its owner made it, and from its first snapshot on its newest state in short: status, cash, config and version.

    autostart: whether it is started once it is created. epoch, seq: of the newest snapshot seen (-1: none yet). updated_at: wall clock.
    """

    __tablename__ = "portfolios"
    __table_args__ = (UniqueConstraint("user_id", "name", name="uq_portfolios_user_name"), Index("ix_portfolios_updated_at", "updated_at"))

    uuid: Mapped[str] = mapped_column(CHAR(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.uuid"))
    initial_cash: Mapped[Decimal]
    current_cash: Mapped[Decimal]
    status: Mapped[str] = mapped_column(String(16))
    config: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(BigInteger, default=1)
    autostart: Mapped[bool] = mapped_column(default=True)
    epoch: Mapped[int] = mapped_column(BigInteger, default=-1)
    seq: Mapped[int] = mapped_column(BigInteger, default=-1)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)


class PortfolioSnapshot(Base):
    """The last snapshot of a portfolio on each day (UTC) that it had one; the newest of all by (epoch, seq) is its state.

    state: the message `Snapshot` as it came. No foreign key: it stays when the portfolio is deleted.
    """

    __tablename__ = "portfolio_snapshots"
    __table_args__ = (Index("ix_portfolio_snapshots_newest", "portfolio_id", "epoch", "seq"),)

    portfolio_id: Mapped[str] = mapped_column(CHAR(36), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
    taken_at: Mapped[datetime]
    state: Mapped[dict[str, Any]]


class PortfolioVersion(Base):
    """A version of a portfolio's config: who made it, when (`at`: of the command) and why. No foreign key: it stays when the portfolio
    is deleted."""

    __tablename__ = "portfolio_versions"

    portfolio_id: Mapped[str] = mapped_column(CHAR(36), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    issued_by: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(Text)
    config: Mapped[dict[str, Any]]


class PortfolioTransition(Base):
    """One change of a portfolio's status. `transition_id` follows from portfolio and `seq`, so that a repeat is the same row; from the
    content where seq is 0, as it is of transitions from before they were counted."""

    __tablename__ = "portfolio_transitions"
    __table_args__ = (Index("ix_portfolio_transitions_time", "portfolio_id", "at", "seq"),)

    transition_id: Mapped[str] = mapped_column(CHAR(36), primary_key=True)
    portfolio_id: Mapped[str] = mapped_column(CHAR(36))
    seq: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime]
    from_status: Mapped[str] = mapped_column(String(16))
    to_status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    node_id: Mapped[str] = mapped_column(String(64))
