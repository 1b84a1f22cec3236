"""A worker's confirmation is dated on the clock of sightings. Earlier ones are forgotten: the order is given again."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The old column held wall-clock instants, which are not comparable with readings of that clock."""
    op.add_column("nodes", sa.Column("confirmed_on", sa.Double(), nullable=True))
    op.drop_column("nodes", "confirmed_at")
