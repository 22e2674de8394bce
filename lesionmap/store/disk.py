"""What the disk says about a study file: on a network drive, writable, a database at all."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from lesionmap.errors import LesionmapError

__all__ = ["check_file", "check_folder", "network_drive", "refuse_network_drive", "writable"]

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
