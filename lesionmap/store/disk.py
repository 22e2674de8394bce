"""What the disk says about a study file: on a network drive, writable, a database at all; and who has a map open."""

from __future__ import annotations

import os
import re
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Claim", "check_file", "check_folder", "network_drive", "refuse_network_drive", "writable"]

_SQLITE_HEADER = b"SQLite format 3\x00"
# Drives that another machine can write to. Locks and the shared memory of WAL do not hold there. Not 9p, which
# sandboxes and virtual machines use for their own root.
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|ncpfs|afs|ceph|lustre|beegfs\w*|gpfs|glusterfs|davfs|webdav|pvfs2|ocfs2|gfs2|acfs"
    r"|fuse\.(sshfs|glusterfs|ceph|rclone|davfs2?|smbnetfs|curlftpfs|s3fs|gcsfuse)"
)


def network_drive(path: Path, mounts: str) -> str | None:
    r"""Give the type of the network drive that holds a path, None if it is a local one.

    Parameters
    ----------
    path : Path
        Absolute, without links.
    mounts : str
        Text of ``/proc/mounts``: device, mount point, type, options; spaces in names written ``\040``.
    """
    best: tuple[int, str] = (-1, "")
    for line in mounts.splitlines():
        parts = line.split()
        if len(parts) < 3:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), parts[1]))
        # The deepest mount point counts; of two at the same place the later one hides the earlier.
        if (path == point or point in path.parents) and len(point.parts) >= best[0]:
            best = (len(point.parts), parts[2])
    return best[1] if _NETWORK.fullmatch(best[1]) else None


def refuse_network_drive(path: Path) -> None:
    """Raise LesionmapError if a study would lie on a network drive.

    Certain on Linux. On Windows shares and mapped drives are seen; on macOS nothing is (no mount table to read).
    """
    where = path.resolve()
    kind = None
    if sys.platform == "win32":
        from ctypes import windll

        remote = 4  # DRIVE_REMOTE
        if where.drive.startswith("\\\\") or windll.kernel32.GetDriveTypeW(f"{where.drive}\\") == remote:
            kind = "share"
    elif Path("/proc/mounts").exists():
        kind = network_drive(where, Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape"))
    if kind:
        raise LesionmapError(
            f"a study file must lie on a local disk, but {path} is on a network drive ({kind}), where two writers can "
            "destroy it; keep it on a local disk, or share it through PostgreSQL (postgresql://…)"
        )


def check_folder(path: Path) -> None:
    """Raise LesionmapError if a new file cannot be made at ``path``."""
    folder = path.parent
    if not folder.is_dir():
        raise LesionmapError(f"a new study needs a folder, but {folder} is none; make it first or correct the path")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise LesionmapError(f"a new study cannot be made in {folder}, which is read-only; choose another folder")


def check_file(path: Path) -> None:
    """Raise LesionmapError if an existing ``path`` cannot be an SQLite database (an empty file can)."""
    if not path.is_file():
        raise LesionmapError(f"a study is a file, but {path} is a folder or a device; name the study's file")
    try:
        with path.open("rb") as file:
            start = file.read(len(_SQLITE_HEADER))
    except OSError as error:
        raise LesionmapError(
            f"the study {path} cannot be read ({error.strerror}); ask for the right to read it"
        ) from error
    if start not in (b"", _SQLITE_HEADER):
        raise LesionmapError(f"{path} is not a lesionmap study (no SQLite database); name the study's file")


def writable(path: Path) -> bool:
    """Say whether a study can be written: the file, and the folder that must take its write-ahead log."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)


class Claim:
    """The right of one window to edit one lesion map, until it is released or its process dies.

    A file beside the study is locked, and the operating system frees the lock with the process. The file's name
    holds a hash, no names. ``held`` is False where another window has the claim (or the study is read-only); ``why``
    then says so, and the window shows the map without editing.

    Examples
    --------
    >>> with study.claim("P001", "2010-05-04", "anna") as claim:  # doctest: +SKIP
    ...     editable = claim.held
    """

    __slots__ = ("_file", "_path", "held", "why")

    def __init__(self, study: Path | None, key: str, why_not: str = "") -> None:
        self.held = False
        """True: this window may edit the map."""
        self.why = why_not
        """Why not; empty if it may."""
        self._file = -1
        self._path = Path()
        if study is not None and not why_not:
            self._path = study.with_name(f"{study.name}.claim-{sha256(key.encode()).hexdigest()[:16]}")
            self._take()

    def _take(self) -> None:
        while not self.held:
            try:  # for reading: the file may be the one of another user of this machine who crashed
                file = os.open(self._path, os.O_RDONLY | os.O_CREAT, 0o644)
            except OSError as error:
                self.why = f"this map cannot be claimed ({error.strerror})"
                return
            if not _lock(file):
                os.close(file)
                self.why = "another window has this map open; it can be edited here when that one is closed"
                return
            # The one before us may have removed the file between our opening and our locking it.
            self.held = _same(file, self._path)
            if self.held:
                self._file = file
            else:
                os.close(file)

    def release(self) -> None:
        """Let the next window have the map. A second call does nothing."""
        if self.held:
            self.held = False
            if sys.platform != "win32":  # there an open file cannot be removed: the empty file stays
                self._path.unlink(missing_ok=True)
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _same(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _lock(file: int) -> bool:
    """Lock an open file at once or say False. Held by the open file, so that two windows of one process differ."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
