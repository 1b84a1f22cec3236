"""What came to each pool, by slices of five minutes: what its days and weeks look like is learned of these."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Begins empty: samples tell rates at instants, smoothed by the broker, and not what was counted in between."""
    op.create_table(
        "slices",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, nullable=False
        ),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("since_at", sa.Double(), nullable=False),
        sa.Column("arrived", sa.Double(), nullable=False),
        sa.Column("looked_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_slices"),
    )
    op.create_index("ix_slices_pool_since_at", "slices", ["pool", "since_at"], unique=True)
    op.create_index("ix_slices_since_at", "slices", ["since_at"])
