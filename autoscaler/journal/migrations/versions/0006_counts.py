"""Samples hold what was counted between two looks, and the slots that were busy: what a backtest plays again."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Older rows have rates only, and say nothing of counts: nobody counted."""
    op.add_column("samples", sa.Column("arrived", sa.BigInteger(), nullable=True))
    op.add_column("samples", sa.Column("completed", sa.BigInteger(), nullable=True))
    op.add_column("samples", sa.Column("counted_s", sa.Double(), nullable=True))
    op.add_column("samples", sa.Column("busy", sa.BigInteger(), nullable=True))
