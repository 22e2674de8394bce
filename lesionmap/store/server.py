"""A study on a PostgreSQL server: its address, its errors in plain words, who may write, who has a map open.

Loaded by ``Database.open`` only, because SQLAlchemy is heavy. Passwords belong into ``~/.pgpass`` or ``PGPASSWORD``;
one that stands in the address is used, and never repeated in a name or a message.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from lesionmap.errors import LesionmapError
from lesionmap.store.claims import OPEN_ELSEWHERE, Claim

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = [
    "NO_ADDRESS",
    "address",
    "engine",
    "lost",
    "server_claim",
    "taken",
    "why_read_only",
    "without_password",
    "words",
]

NO_ADDRESS = "a study is a file or an address like postgresql://user@host/name; the one given is neither"

# A workstation that vanished must not keep others from writing, nor a cut cable hold a window for a quarter of an hour.
# An edit is acknowledged when it is on the server's disk, whatever the server's own default.
_SESSION = {
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "synchronous_commit": "on",
    "client_encoding": "UTF8",
}
_CONNECT = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "application_name": "lesionmap",
}


def address(where: str) -> URL:
    """Read the address of a study, our driver filled in.

    Raises
    ------
    LesionmapError
        If it is no address of a PostgreSQL database.
    """
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        raise LesionmapError(NO_ADDRESS) from None
    if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg") or not url.database:
        raise LesionmapError(NO_ADDRESS)
    return url.set(drivername="postgresql+psycopg")


def engine(url: URL) -> tuple[Engine, str]:
    """Make the engine of a server, and the study's name for messages: the address without password and options."""
    query = {key: value for key, value in url.query.items() if isinstance(value, str)}
    options = " ".join([*(f"-c {key}={value}" for key, value in _SESSION.items()), query.get("options", "")])
    given = {**_CONNECT, **query, "options": options.strip(), "prepare_threshold": None}
    try:
        made = create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=given)
    except ImportError as error:
        raise LesionmapError(
            "a study on a server needs the package psycopg, not installed here: pip install 'lesionmap[postgresql]'"
        ) from error
    name = URL.create("postgresql", url.username, host=url.host, port=url.port, database=url.database)
    return made, name.render_as_string()


def without_password(url: URL) -> str:
    """Write an address for PostgreSQL's own programs, which read the password from elsewhere."""
    from psycopg.conninfo import make_conninfo

    query = {key: value for key, value in url.query.items() if key != "password" and isinstance(value, str)}
    parts = {"user": url.username, "host": url.host, "port": url.port, "dbname": url.database, **query}
    return make_conninfo("", **parts)


def why_read_only(connection: Connection) -> str:
    """Say why this user cannot write to the study; empty: he can."""
    if connection.scalar(text("SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'")):
        return "is on a server that is read-only now; ask who keeps it"
    if not connection.scalar(text("SELECT has_table_privilege('edit', 'INSERT')")):
        return "may be read by this user but not changed; ask who keeps it for the role lesionmap_reader"
    return ""


def server_claim(engine: Engine, number: int) -> Claim:
    """Claim a map by an advisory lock on a connection kept for it; the server frees it when the connection ends."""
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    connection.detach()  # the pool shall not wait for it, and no other user shall get it with the lock on it
    if not connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), {"number": number}):
        connection.close()
        return Claim(None, OPEN_ELSEWHERE)

    def free() -> None:
        with suppress(DBAPIError):  # a connection that was lost holds no lock
            connection.close()

    return Claim(free)


# Errors. The server's codes are the same in every language; those of a failed connection have none.

_FAILED = (
    ("password", "does not take this user or password; put the right one into ~/.pgpass or PGPASSWORD"),
    ("authentication failed", "does not let this user in; ask who keeps it"),
    ("permission denied", "does not let this user in; ask who keeps it"),
    ("pg_hba.conf", "does not let this user in from here; ask who keeps it (pg_hba.conf)"),
    ("role", "does not know this user; ask who keeps it, or correct the address"),
    ("database", "has no such database; make it first (docs/shared-study.md), or correct the address"),
    ("starting up", "is just starting; try again in a moment"),
    ("shutting down", "is just stopping; try again when it runs"),
    ("recovery", "is just starting; try again in a moment"),
    ("too many", "has no connection free; try again in a moment"),
    ("remaining connection", "has no connection free; try again in a moment"),
)
_LOST = ("08", "57P")
_STATES = {
    "25006": "is on a server that is read-only now; ask who keeps it",
    "42501": "may not be used so by this user; ask who keeps it for the role lesionmap_reader (to write) or "
    "lesionmap_viewer (to look)",
    "53100": "could not be written because the disk of its server is full; nothing of this was saved: tell who keeps "
    "it, then save again",
    "53300": "is on a server that has no connection free; try again in a moment",
    "55P03": "is being written by another program; try again",
    "57014": "was not answered in time by its server; nothing of this was saved: try again",
    "58030": "could not be read or written by its server's disk; nothing of this was saved: tell who keeps it",
    "XX001": "is damaged on its server; tell who keeps it",
    "XX002": "is damaged on its server (an index); tell who keeps it",
}


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def taken(error: DBAPIError) -> bool:
    """Say whether others were faster: a key that exists, a change of the same row, a circle of waiting."""
    return _state(error)[:2] in ("23", "40")


def lost(error: DBAPIError) -> bool:
    """Say whether the connection ended (then nobody knows what became of a commit under way)."""
    return error.connection_invalidated or _state(error).startswith(_LOST)


def words(error: DBAPIError) -> str:
    """Say what is wrong, to follow the study's name; empty: a fault of ours, neither the server's nor the network's."""
    state = _state(error)
    if state in _STATES:
        return _STATES[state]
    if lost(error):
        return "lost its connection to the server; nothing of this was saved: try again"
    if state or not isinstance(error, OperationalError):
        return ""
    said = str(error.orig).lower()
    if "fatal" not in said and "password" not in said:
        return "cannot be reached on its server; check the address, the network and that the server runs"
    return next((f"is on a server that {words}" for mark, words in _FAILED if mark in said), "cannot be reached")
