"""What each machine was to become, and whether an operator ordered that it be replaced."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of those ordered before it is not known, and that is no drift.

    The defaults stay, so that a daemon of the release before still writes its records.
    """
    op.add_column("nodes", sa.Column("becomes", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("nodes", sa.Column("replace_due", sa.Boolean(), nullable=False, server_default=sa.false()))
