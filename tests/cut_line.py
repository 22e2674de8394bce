"""A line to a server that can be cut: at once, or just before or after the server is told to commit."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Line", "line"]


class Line:
    """Takes connections on a port of this machine and passes them on to another."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._taken = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._taken.getsockname()[1])
        """Where connections are taken."""
        self.dead = False
        """True: new connections end at once."""
        self.cut_at: Literal["", "before commit", "after commit", "at insert"] = ""
        """When the line is cut the next time by itself; it stays dead if ``stay_dead``."""
        self.stay_dead = False
        self.silent = False
        """True: a cut is not told to the server, as when a cable is pulled."""
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._take, daemon=True).start()

    def cut(self) -> None:
        """End all connections."""
        self._cut(self._pairs.copy())

    def _cut(self, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
        for client, server in pairs:
            _end(client)
            if not self.silent:
                _end(server)

    def close(self) -> None:
        """End all connections, and take no more."""
        self.silent = False
        self.cut()
        self._taken.close()

    def _take(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._taken.accept()
                if self.dead:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._pairs.append((client, server))
                threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, to_server: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                word = {"": b"\0none", "at insert": b"INSERT"}.get(self.cut_at, b"COMMIT\0")
                if not (to_server and word in data):
                    target.sendall(data)
                    continue
                self.dead = self.stay_dead
                pairs = self._pairs.copy()  # who connects anew from now on gets through
                if self.cut_at == "after commit":
                    _end(source)  # first, so that no answer can come through
                    target.sendall(data)
                    target.shutdown(socket.SHUT_WR)
                    target.settimeout(10)
                self.cut_at = ""
                self._cut(pairs)
        if not (to_server and self.silent):
            _end(target)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    with closing(one):
        pass


@contextmanager
def line(server_port: int) -> Iterator[Line]:
    """Lay a line to a port of this machine."""
    laid = Line(server_port)
    try:
        yield laid
    finally:
        laid.close()
