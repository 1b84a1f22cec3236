"""That an operator gave a machine up is told by a word of its own, no longer by what its worker was last told."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was given up before goes on being so: by force, it was marked with the order to leave."""
    op.add_column("nodes", sa.Column("given_up", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE nodes SET given_up = true"
        " WHERE state = 'destroying' AND consumer_order = 'leave' AND NOT stop_due"
    )
    with op.batch_alter_table("nodes") as batch:
        batch.alter_column(
            "given_up", existing_type=sa.Boolean(), existing_nullable=False, server_default=None
        )
