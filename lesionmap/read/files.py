"""Files on the disk or inside a zip archive: found, told apart by their first bytes, opened, hashed.

A file inside an archive is named ``/folder/visit.zip!/series/0001`` and read where it is: nothing is unpacked,
so nothing can be written outside a folder, and the images stay readable for as long as the archive stays.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["FileKind", "kind_of_file", "open_file", "real_path", "sha256_of", "unpacked", "walk"]

FileKind = Literal["dicom", "nifti", "damaged", "other"]

_INSIDE = "!/"
_MOST_BYTES = 1 << 28
"""Bytes that one packed image may unpack to: it is held in memory whole. Larger ones are read unpacked."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Magic, and the lengths of the name and of the extra field behind it (APPNOTE 4.3.7)."""
_BAD_ARCHIVE = (
    *(OSError, LookupError, RuntimeError, NotImplementedError, ValueError, EOFError, OverflowError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
"""What the standard library raises for an archive that is not what it should be."""
_MOST_RATIO = 1000
_NIFTI_SUFFIXES = (".nii", ".nii.gz")
_DICOM_SUFFIXES = (".dcm", ".ima", ".dicom")
_NIFTI_MAGIC = {348: (344, b"n+1\0", b"ni1\0"), 540: (4, b"n+2\0", b"ni2\0")}


def walk(path: str | Path) -> Iterator[str]:
    """Give every file at or below a path, archives opened, in a stable order.

    Hidden files and folders are left out, and so is a DICOMDIR: it lists images and holds none. A DICOMDIR given
    directly stands for its folder.

    Raises
    ------
    LesionmapError
        If the path is not there, or an archive cannot be read.
    """
    given = Path(path).expanduser().absolute()
    if not given.exists():
        raise LesionmapError(f"a file or folder was expected at {given}, nothing is there; check the path")
    if given.name.upper() == "DICOMDIR" and given.is_file():
        given = given.parent
    if given.is_file():
        yield from _file_or_members(str(given))
        return
    for folder, folders, names in os.walk(given):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.upper() != "DICOMDIR":
                yield from _file_or_members(f"{folder}{os.sep}{name}")


def _file_or_members(path: str) -> Iterator[str]:
    if not path.lower().endswith(".zip"):
        yield path
        return
    try:
        state = Path(path).stat()
        listed = _directory(path, state.st_mtime_ns, state.st_size)
        members = sorted(info.filename for info in listed.values() if not info.is_dir())
    except _BAD_ARCHIVE as error:
        raise LesionmapError(f"a zip archive was expected at {path}, it cannot be opened; send it again") from error
    for member in members:
        name = member.rsplit("/", 1)[-1]
        if not name.startswith(".") and name.upper() != "DICOMDIR" and not member.startswith("__MACOSX/"):
            yield path + _INSIDE + member


def real_path(path: str) -> Path:
    """Give the file on the disk: the archive where the path leads into one."""
    return Path(path.partition(_INSIDE)[0]) if ".zip" + _INSIDE in path.lower() else Path(path)


def open_file(path: str) -> BinaryIO:
    """Open a file, or a file inside an archive, for reading bytes.

    Raises
    ------
    LesionmapError
        If it is not there, or if the member of an archive is larger unpacked than any image.
    """
    try:
        if ".zip" + _INSIDE not in path.lower():
            _refuse_endless(path)
            return Path(path).open("rb")
        return _open_member(path)
    except (IsADirectoryError, PermissionError) as error:
        raise LesionmapError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    except LesionmapError:
        raise
    except _BAD_ARCHIVE as error:
        raise LesionmapError(f"the image file {path} is not there or cannot be read; re-link the images") from error


def _refuse_endless(path: str) -> None:
    """Refuse a pipe or a device: opened, it would wait for a writer, or never end."""
    kind = stat.S_IFMT(Path(path).stat().st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        raise LesionmapError(f"an image file was expected at {path}, it is a pipe or a device; leave it out")


def _open_member(path: str) -> BinaryIO:
    archive_path, _, member = path.partition(_INSIDE)
    with Path(archive_path).open("rb") as archive:
        state = os.fstat(archive.fileno())
        info = _directory(archive_path, state.st_mtime_ns, state.st_size)[member]
        if info.file_size > _MOST_BYTES or info.file_size > _MOST_RATIO * max(info.compress_size, 1 << 16):
            raise LesionmapError(
                f"{path} would unpack to {info.file_size:,} bytes in memory, more than an image has; unzip it"
            )
        archive.seek(info.header_offset)
        magic, name, extra = _LOCAL_HEADER.unpack(archive.read(_LOCAL_HEADER.size))
        if magic != b"PK\3\4":
            raise zipfile.BadZipFile
        archive.seek(name + extra, os.SEEK_CUR)
        with zipfile.ZipExtFile(archive, "r", info) as packed:
            return io.BytesIO(packed.read())


@lru_cache(maxsize=1)
def _directory(path: str, _changed_ns: int, _size: int) -> dict[str, zipfile.ZipInfo]:
    """List an archive's members; once for all of them, because that takes as long as there are members."""
    with zipfile.ZipFile(path) as archive:
        return archive.NameToInfo.copy()


class Unpacker(Protocol):
    """What unpacks bytes: a ``zlib.decompressobj``."""

    def decompress(self, data: bytes, most: int, /) -> bytes:
        """Unpack, but no more than ``most`` bytes."""


def unpacked(unpacker: Unpacker, data: bytes) -> bytes:
    """Unpack bytes that may be a bomb.

    Raises
    ------
    LesionmapError
        If they unpack to more than an image has.
    zlib.error
        If they are damaged.
    """
    whole = unpacker.decompress(data, _MOST_BYTES + 1)
    if len(whole) > _MOST_BYTES:
        raise LesionmapError(
            f"at most {_MOST_BYTES:,} bytes are unpacked in memory, the file holds more; export it without compression"
        )
    return whole


def kind_of_file(path: str, file: BinaryIO) -> FileKind:
    """Tell an open DICOM or NIfTI file by its first bytes, and a damaged one by its name; rewinds the file."""
    head = file.read(540)
    file.seek(0)
    name = path.lower()
    if head[128:132] == b"DICM" or _looks_bare_dicom(head):
        return "dicom"
    if name.endswith(_NIFTI_SUFFIXES):
        return "nifti" if head[:2] == b"\x1f\x8b" or _is_nifti(head) else "damaged"
    return "damaged" if name.endswith(_DICOM_SUFFIXES) else "other"


def _is_nifti(head: bytes) -> bool:
    for order in ("little", "big"):
        size = int.from_bytes(head[:4], "little" if order == "little" else "big")
        if size in _NIFTI_MAGIC:
            start, *magics = _NIFTI_MAGIC[size]
            return head[start : start + 4] in magics
    return False


def _looks_bare_dicom(head: bytes) -> bool:
    """Say whether a file without preamble begins with an element of group 2 or 8, as old archives write it."""
    if head[:4] in (b"\x08\x00\x05\x00", b"\x08\x00\x08\x00", b"\x08\x00\x00\x00", b"\x08\x00\x16\x00"):
        return True
    return head[:4] in (b"\x02\x00\x00\x00", b"\x02\x00\x02\x00") and head[4:6] in (b"UL", b"UI")


def sha256_of(path: str) -> str:
    """Give the SHA-256 of the whole file, hex."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def unique(paths: Iterable[str | Path]) -> list[str | Path]:
    """Drop paths that were given twice or lie below another one that was given."""
    resolved = [(Path(path).expanduser().resolve(), path) for path in paths]
    kept: list[str | Path] = []
    seen: set[Path] = set()
    folders = {real for real, _ in resolved}
    for real, path in resolved:
        if real not in seen and not folders.intersection(real.parents):
            kept.append(path)
        seen.add(real)
    return kept
