"""One module a schema; Alembic finds them by their ``revision``."""

__all__ = ()
