"""PostgreSQL, a real server, started for the tests on a folder and a port of its own and stopped by its process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["PASSWORD", "Cluster", "place", "postgresql", "program", "running", "where"]

PASSWORD = "s3cret-wörd"  # noqa: S105
"""Of the keeper, and of every role that a test makes."""
_PATIENCE_S = 30.0
_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)


def program(name: str) -> str:
    """Give the path of a program of PostgreSQL; the test is skipped where it is not installed."""
    found = shutil.which(name, path=os.pathsep.join([*map(str, _BINARIES), os.environ.get("PATH", "")]))
    if found is None:
        pytest.skip("needs the Debian package postgresql")
    return found


@dataclass
class Cluster:
    """A running server; its databases are new and of no more use after the tests."""

    folder: Path
    """Of its data, its log and its socket."""
    port: int
    process: subprocess.Popen[bytes]
    _numbers: count[int] = field(default_factory=count)

    def url(self, database: str, user: str = "keeper", *, password: str = PASSWORD, port: int | None = None) -> str:
        """Give the address of a database for a user."""
        from urllib.parse import quote

        return f"postgresql://{user}:{quote(password)}@127.0.0.1:{port or self.port}/{database}"

    def new(self) -> str:
        """Make an empty database, and give its address for the keeper."""
        name = f"study{next(self._numbers)}"
        self.ask(f"CREATE DATABASE {name}")
        return self.url(name)

    def schema(self) -> str:
        """Make an empty schema, which is quicker, and give its address for the keeper."""
        name = f"study{next(self._numbers)}"
        self.ask(f"CREATE SCHEMA {name}")
        return f"{self.url('postgres')}?options=-c%20search_path%3D{name}"

    def ask(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run statements as the keeper, and give the rows of the last one."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []

    def start(self) -> None:
        """Start the server, again after a crash too, and wait until it answers."""
        command = [program("postgres"), "-D", str(self.folder / "data"), "-c", f"port={self.port}"]
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **_as_user())  # type: ignore[call-overload]
            if self.wait():
                return
            time.sleep(0.1)  # processes of the one that crashed are still leaving
        pytest.fail((self.folder / "log").read_text(errors="replace")[-2000:])

    def wait(self) -> bool:
        """Wait until the server answers, and say whether it does."""
        import psycopg

        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                self.ask("SELECT 1")
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return True
        return False

    def stop(self, sign: int = signal.SIGQUIT) -> None:
        """Stop the server: at once, as by ``pg_ctl stop -m immediate``, or by another signal."""
        self.process.send_signal(sign)
        self.process.wait()


def _as_user() -> dict[str, object]:
    """Say as whom the server runs: root may not."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


@contextmanager
def running() -> Iterator[Cluster]:
    """Run a server: fsync on, passwords asked on its port, sorting by a language's rules and not by bytes."""
    pytest.importorskip("psycopg")
    initdb = program("initdb")
    folder = Path(tempfile.mkdtemp(prefix="lesionmap-pg-"))  # pytest's own folders are closed to other users
    (folder / "password").write_text(PASSWORD, encoding="utf-8")
    if os.geteuid() == 0:
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres", "postgres")
    command = [initdb, "-D", str(folder / "data"), "-U", "keeper", f"--pwfile={folder / 'password'}", "-E", "UTF8"]
    command += ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US", "--no-sync"]
    command += ["--auth-local=trust", "--auth-host=scram-sha-256"]
    subprocess.run(command, check=True, capture_output=True, cwd=folder, **_as_user())  # type: ignore[call-overload]
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    with (folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write(
            f"listen_addresses = '127.0.0.1'\nunix_socket_directories = '{folder}'\n"
            "shared_buffers = 16MB\nmax_connections = 60\nfsync = on\nmax_wal_size = 256MB\n"
        )
    cluster = Cluster(folder, port, None)  # type: ignore[arg-type]
    try:
        cluster.start()
        yield cluster
    finally:
        if cluster.process is not None:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """Give a server that no test stops."""
    with running() as cluster:
        yield cluster


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Give a maker of places for new studies: a file, or an empty schema of a server."""
    if request.param == "postgresql":
        cluster: Cluster = request.getfixturevalue("postgresql")
        return cluster.schema
    folder, numbers = tmp_path_factory.mktemp("studies"), count()
    return lambda: str(folder / f"{next(numbers)}.lesionmap")


@pytest.fixture
def where(place: Callable[[], str]) -> str:
    """Give a place for one new study."""
    return place()
