"""Asks for an end that got a definite no are counted apart: they were heard by nobody."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of older asks it is not known how they were answered, so all of them may have been heard."""
    op.add_column("nodes", sa.Column("refused_asks", sa.BigInteger(), nullable=False, server_default="0"))
