"""What each machine said of its way to become a worker: its phases, and the end of its log where it failed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Begins empty: nobody listened before."""
    op.create_table(
        "boots",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("offer", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("failed_phase", sa.Text(), nullable=True),
        sa.Column("failed_says", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("node", name="pk_boots"),
    )
    op.create_index("ix_boots_at", "boots", ["at"])
