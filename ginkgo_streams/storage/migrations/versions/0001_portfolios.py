"""Users, portfolios, their snapshots and transitions, API keys.

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ginkgo_streams.storage.models import Moment, Money

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("uuid", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("api_key_hash", sa.String(255)),
        sa.Column("created_at", Moment(), nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.CHAR(36), primary_key=True),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.uuid", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("key_hash", sa.String(255), nullable=False, unique=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("last_used_at", Moment()),
        sa.Column("revoked_at", Moment()),
    )
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])
    op.create_table(
        "portfolios",
        sa.Column("uuid", sa.CHAR(36), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.uuid"), nullable=False),
        sa.Column("initial_cash", Money(), nullable=False),
        sa.Column("current_cash", Money(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("autostart", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.UniqueConstraint("user_id", "name", name="uq_portfolios_user_name"),
    )
    op.create_index("ix_portfolios_updated_at", "portfolios", ["updated_at"])
    op.create_table(
        "portfolio_snapshots",
        sa.Column("portfolio_id", sa.CHAR(36), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", Moment(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
    )
    op.create_index("ix_portfolio_snapshots_newest", "portfolio_snapshots", ["portfolio_id", "epoch", "seq"])
    op.create_table(
        "portfolio_transitions",
        sa.Column("transition_id", sa.CHAR(36), primary_key=True),
        sa.Column("portfolio_id", sa.CHAR(36), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("from_status", sa.String(16), nullable=False),
        sa.Column("to_status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("node_id", sa.String(64), nullable=False),
    )
    op.create_index("ix_portfolio_transitions_time", "portfolio_transitions", ["portfolio_id", "at"])


def downgrade() -> None:
    for table in ("portfolio_transitions", "portfolio_snapshots", "portfolios", "api_keys", "users"):
        op.drop_table(table)
