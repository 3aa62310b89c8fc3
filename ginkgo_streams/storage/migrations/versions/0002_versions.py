"""Versions of the portfolios' configs; transitions have a sequence: reloading comes and goes within one millisecond.

Revision: 0002, behind 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ginkgo_streams.storage.models import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEX = "ix_portfolio_transitions_time"


def upgrade() -> None:
    op.create_table(
        "portfolio_versions",
        sa.Column("portfolio_id", sa.CHAR(36), primary_key=True),
        sa.Column("version", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("issued_by", sa.String(255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
    )
    op.add_column("portfolio_transitions", sa.Column("seq", sa.BigInteger(), nullable=False, server_default="0"))
    op.drop_index(INDEX, "portfolio_transitions")
    op.create_index(INDEX, "portfolio_transitions", ["portfolio_id", "at", "seq"])


def downgrade() -> None:
    op.drop_index(INDEX, "portfolio_transitions")
    op.drop_column("portfolio_transitions", "seq")
    op.create_index(INDEX, "portfolio_transitions", ["portfolio_id", "at"])
    op.drop_table("portfolio_versions")
