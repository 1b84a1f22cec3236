"""How many tasks the worker of each machine is done with."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of machines that serve it is known from their worker's next word on.

    The default stays, so that a daemon of the release before still writes its records.
    """
    op.add_column("nodes", sa.Column("tasks_before", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("nodes", sa.Column("tasks_now", sa.BigInteger()))
    op.add_column("nodes", sa.Column("tasks_noted_at", sa.Double()))
