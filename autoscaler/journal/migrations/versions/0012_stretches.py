"""What samples become as they age: a row for a minute, then for an hour. And how far decisions were thinned."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COUNTS = (
    "serving", "arriving", "leaving", "wanted", "arrivals_looks", "completions_looks", "serving_sum", "serving_most",
    "arriving_sum", "leaving_sum", "wanted_sum", "wanted_least", "wanted_most", "counted",
)  # fmt: skip
_SEEN_COUNTS = (
    "backlog", "in_progress", "backlog_most", "in_progress_sum", "arrived", "completed", "busy_first", "busy_last",
    "busy_most", "busy_sum",
)  # fmt: skip
_SEEN_NUMBERS = ("seen_since_at", "seen_at", "wait_s", "arrivals_sum", "completions_sum", "counted_s")


def upgrade() -> None:
    """Nothing that is there is touched: the daemon thins it little by little."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "stretches",
        sa.Column("number", number, nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("over_s", sa.BigInteger(), nullable=False),
        sa.Column("since_at", sa.Double(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("ticks", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTS),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in _SEEN_COUNTS),
        *(sa.Column(name, sa.Double(), nullable=True) for name in _SEEN_NUMBERS),
        sa.Column("waits", sa.Text(), nullable=True),
        sa.Column("cost_sum", sa.Double(), nullable=False),
        sa.Column("busy_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_stretches")),
    )
    op.create_index("ix_stretches_pool_at", "stretches", ["pool", "at"])
    op.create_index("ix_stretches_over_s_at", "stretches", ["over_s", "at"])
    op.create_table(
        "thinned",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("hours", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("slot = 1", name=op.f("ck_thinned_one")),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_thinned")),
    )
