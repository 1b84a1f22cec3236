"""The first journal: nodes and their moves, decisions, samples, orders, wishes, memory and the lease."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _nodes()
    _reasons()
    _words()
    _state()


def _nodes() -> None:
    """Machines and their moves."""
    op.create_table(
        "nodes",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("offer_provider", sa.Text(), nullable=False),
        sa.Column("offer_location", sa.Text(), nullable=False),
        sa.Column("offer_size", sa.Text(), nullable=False),
        sa.Column("offer_image", sa.Text(), nullable=False),
        sa.Column("offer_price_per_h", sa.Double(), nullable=False),
        sa.Column("offer_quantum_s", sa.BigInteger(), nullable=False),
        sa.Column("slots", sa.BigInteger(), nullable=False),
        sa.Column("queues", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.Double(), nullable=False),
        sa.Column("entered_at", sa.Double(), nullable=False),
        sa.Column("entered_on", sa.Double(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=True),
        sa.Column("instance_created_at", sa.Double(), nullable=True),
        sa.Column("enrolled_at", sa.Double(), nullable=True),
        sa.Column("missing_on", sa.Double(), nullable=True),
        sa.Column("worker_pid", sa.BigInteger(), nullable=True),
        sa.Column("consumer_order", sa.Text(), nullable=False),
        sa.Column("confirmed_at", sa.Double(), nullable=True),
        sa.Column("stop_due", sa.Boolean(), nullable=False),
        sa.Column("stopped_at", sa.Double(), nullable=True),
        sa.Column("destroy_asks", sa.BigInteger(), nullable=False),
        sa.Column("next_ask_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_nodes")),
    )
    op.create_index(op.f("ix_nodes_state_entered_at"), "nodes", ["state", "entered_at"], unique=False)
    op.create_table(
        "transitions",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("event", sa.Text(), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_transitions")),
    )
    op.create_index(op.f("ix_transitions_at"), "transitions", ["at"], unique=False)
    op.create_index(op.f("ix_transitions_node"), "transitions", ["node"], unique=False)


def _reasons() -> None:
    """Why each tick did what it did, and what it saw."""
    op.create_table(
        "decisions",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("recommended", sa.BigInteger(), nullable=True),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("workers", sa.BigInteger(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_decisions")),
    )
    op.create_index(
        "ix_decisions_past", "decisions", ["at", "pool", "recommended", "wanted", "workers"], unique=False
    )
    op.create_index(op.f("ix_decisions_pool_at"), "decisions", ["pool", "at"], unique=False)
    op.create_table(
        "samples",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("backlog", sa.BigInteger(), nullable=True),
        sa.Column("in_progress", sa.BigInteger(), nullable=True),
        sa.Column("arrivals_per_s", sa.Double(), nullable=True),
        sa.Column("completions_per_s", sa.Double(), nullable=True),
        sa.Column("wait_s", sa.Double(), nullable=True),
        sa.Column("serving", sa.BigInteger(), nullable=False),
        sa.Column("arriving", sa.BigInteger(), nullable=False),
        sa.Column("leaving", sa.BigInteger(), nullable=False),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("cost_per_h", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_samples")),
    )
    op.create_index(op.f("ix_samples_at"), "samples", ["at"], unique=False)
    op.create_index(op.f("ix_samples_pool_at"), "samples", ["pool", "at"], unique=False)


def _words() -> None:
    """What operators said."""
    op.create_table(
        "orders",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("given_at", sa.Double(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("workers", sa.BigInteger(), nullable=True),
        sa.Column("until_at", sa.Double(), nullable=True),
        sa.Column("force", sa.Boolean(), nullable=False),
        sa.Column("answered_at", sa.Double(), nullable=True),
        sa.Column("carried_out", sa.Boolean(), nullable=True),
        sa.Column("says", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_orders")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_orders_answered_at"), "orders", ["answered_at"], unique=False)
    op.create_table(
        "wishes",
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=True),
        sa.Column("hold_workers", sa.BigInteger(), nullable=True),
        sa.Column("hold_until_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("pool", name=op.f("pk_wishes")),
    )


def _state() -> None:
    """What one tick hands to the next, and who ticks."""
    op.create_table(
        "memory",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.CheckConstraint("slot = 1", name=op.f("ck_memory_one")),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_memory")),
    )
    op.create_table(
        "lease",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("since_at", sa.Double(), nullable=False),
        sa.Column("released", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_lease")),
    )
