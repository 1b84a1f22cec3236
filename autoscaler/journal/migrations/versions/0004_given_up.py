"""That an operator gave a machine up is told by a word of its own, no longer by what its worker was last told."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was given up before goes on being so: by force, which only the reason tells.

    The default stays, so that a daemon of the release before still writes its records.
    """
    op.add_column("nodes", sa.Column("given_up", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE nodes SET given_up = true"
        " WHERE state = 'destroying' AND reason LIKE 'destroy by %' AND NOT stop_due"
    )
