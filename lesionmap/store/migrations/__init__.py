"""The steps from one schema of a study to the next, for Alembic: ``versions/schema_N.py`` leads to schema N.

A new one: raise ``tables.SCHEMA``, change ``tables.py``, write ``versions/schema_N.py`` with ``revision = "N"`` and
``down_revision`` the one before. A test compares what all steps make with ``tables.py``, on both databases. On SQLite
columns are changed by ``op.batch_alter_table``. Edits are never changed, only copied as they are.
"""

__all__ = ()
