"""The tables of a study: the same for SQLite and PostgreSQL."""

from sqlalchemy import Column, Date, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

__all__ = ["SCHEMA", "edit", "identity", "meta", "metadata", "patient", "visit"]

SCHEMA = 1
"""Version of the tables below. A study of a higher one is refused."""

metadata = MetaData()
meta = Table("meta", metadata, Column("name", String(64), primary_key=True), Column("value", Text, nullable=False))
patient = Table(
    "patient",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("sex", String(1)),
    Column("birth_date", Date),
)
# A patient may come from several hospitals, so several hashes may name one patient.
identity = Table(
    "identity",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("patient", ForeignKey("patient.id"), nullable=False),
)
visit = Table(
    "visit",
    metadata,
    Column("patient", ForeignKey("patient.id"), primary_key=True),
    Column("date", Date, primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("age_y", Float),
    Column("stature_cm", Float),
    Column("weight_kg", Float),
    Column("series", Text, nullable=False),
)
# Append-only: no statement of this module updates or deletes here. ``value`` comes last, so that SQLite reads the
# history without touching the masks.
edit = Table(
    "edit",
    metadata,
    Column("map", String(255), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("step", Integer, nullable=False),
    Column("undoes", Integer),
    Column("what", Text, nullable=False),
    Column("reader", String(64), nullable=False),
    Column("time", String(32), nullable=False),
    Column("version", String(64), nullable=False),
    Column("value", Text),
    Index("edit_by_what", "map", "what", "n"),
)
