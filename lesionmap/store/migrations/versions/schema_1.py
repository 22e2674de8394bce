"""Schema 1: the tables of the first study. New studies are made from ``tables.py``; here they stand as they were."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "meta",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "patient",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("sex", sa.String(1)),
        sa.Column("birth_date", sa.Date),
    )
    op.create_table(
        "identity",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("patient", sa.String(64), sa.ForeignKey("patient.id"), nullable=False),
    )
    op.create_table(
        "visit",
        sa.Column("patient", sa.String(64), sa.ForeignKey("patient.id"), primary_key=True),
        sa.Column("date", sa.Date, primary_key=True),
        sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("age_y", sa.Float),
        sa.Column("stature_cm", sa.Float),
        sa.Column("weight_kg", sa.Float),
        sa.Column("series", sa.Text, nullable=False),
    )
    op.create_table(
        "edit",
        sa.Column("map", sa.String(255), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("undoes", sa.Integer),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("reader", sa.String(64), nullable=False),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("value", sa.Text),
    )
    op.create_index("edit_by_what", "edit", ["map", "what", "n"])
