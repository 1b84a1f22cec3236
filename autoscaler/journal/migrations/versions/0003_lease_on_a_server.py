"""The lease of a journal on a server: when its holder last said that it lives, and how long it is to be waited for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lease", sa.Column("renewed_at", sa.Double(), nullable=True))
    op.add_column("lease", sa.Column("term_s", sa.Double(), nullable=True))
