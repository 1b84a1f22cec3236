"""The decisions that stand, beside those that changed something."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_KEPT = ("pool", "at", "recommended", "wanted", "workers", "sentence", "document")


def upgrade() -> None:
    """Of each pool the newest decision stands."""
    op.create_index("ix_decisions_pool_number", "decisions", ["pool", "number"])
    op.create_table(
        "standing",
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("recommended", sa.BigInteger(), nullable=True),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("workers", sa.BigInteger(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("pool", name="pk_standing"),
    )
    columns = ", ".join(_KEPT)
    op.execute(
        f"INSERT INTO standing ({columns}) SELECT {columns} FROM decisions "  # noqa: S608 - names of ours
        "WHERE number IN (SELECT max(number) FROM decisions GROUP BY pool)"
    )
