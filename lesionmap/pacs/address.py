"""Where a PACS is and how it is spoken with, read from its URL."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import urlsplit

from lesionmap.errors import LesionmapError

__all__ = ["Address", "address_of"]

Scheme = Literal["http", "https", "dicom", "dicoms"]

_PORTS = {"http": 80, "https": 443, "dicom": 104, "dicoms": 2762}
_CALLING = "LESIONMAP"
_FORMS = "https://HOST/dicom-web, dicom://CALLED@HOST:PORT or dicoms://CALLED@HOST:PORT"
_AE_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")


@dataclass(frozen=True, slots=True)
class Address:
    """A PACS; holds no credentials."""

    scheme: Scheme
    host: str
    port: int
    path: str = ""
    """Of the DICOMweb service, without a slash at its end."""
    called: str = ""
    """AE title of the PACS (DIMSE)."""
    calling: str = ""
    """Our own AE title, by which the PACS knows us (DIMSE)."""

    @property
    def where(self) -> str:
        """``host:port``, as messages name it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL in one form, however it was written."""
        titles = f"{self.calling}@{self.called}@" if self.called else ""
        return f"{self.scheme}://{titles}{self.where}{self.path}"

    @property
    def web(self) -> bool:
        """True for DICOMweb."""
        return self.scheme in ("http", "https")

    @property
    def tls(self) -> bool:
        """True where the connection is encrypted."""
        return self.scheme in ("https", "dicoms")

    @property
    def loopback(self) -> bool:
        """True where the PACS runs on this very machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def address_of(url: str) -> Address:
    """Read the URL of a PACS.

    Parameters
    ----------
    url : str
        ``https://host[:port]/path`` of a DICOMweb service, or ``dicom://[CALLING@]CALLED@host[:port]``; ``http`` and
        ``dicoms`` likewise. Without a calling AE title it is LESIONMAP.

    Raises
    ------
    LesionmapError
        If it is no such URL, or holds a user name, a password or a query.

    Examples
    --------
    >>> address_of("dicom://ORTHANC@pacs.example:4242").url
    'dicom://LESIONMAP@ORTHANC@pacs.example:4242'
    """
    scheme = url.partition("://")[0].lower()
    if scheme not in _PORTS or "://" not in url:
        raise LesionmapError(f"the URL of a PACS was expected: {_FORMS}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise LesionmapError(f"the URL of a PACS was expected: {_FORMS}; host or port make no sense") from error
    if not host:
        raise LesionmapError(f"the URL of a PACS was expected: {_FORMS}; the host is missing")
    if parts.query or parts.fragment:
        raise LesionmapError("the URL of a PACS has no '?' and no '#': give it as far as the path of its service")
    titles = parts.netloc.rpartition("@")[0]
    if scheme in ("http", "https"):
        return _web(cast("Scheme", scheme), host, port, parts.path, titles)
    return _dimse(cast("Scheme", scheme), host, port, parts.path, titles)


def _web(scheme: Scheme, host: str, port: int | None, path: str, credentials: str) -> Address:
    if credentials:
        raise LesionmapError(
            "a URL holds no user name and no password: others see it; set LESIONMAP_PACS_USER and "
            "LESIONMAP_PACS_PASSWORD, or store them once with 'lesionmap pacs login URL'"
        )
    return Address(scheme, host, _PORTS[scheme] if port is None else port, path.rstrip("/"))


def _dimse(scheme: Scheme, host: str, port: int | None, path: str, titles: str) -> Address:
    calling, _, called = titles.rpartition("@")
    calling = calling or _CALLING
    if path.strip("/") or ":" in titles or not all(_AE_TITLE.fullmatch(title) for title in (calling, called)):
        raise LesionmapError(
            f"{scheme}://[CALLING@]CALLED@HOST:PORT was expected, with AE titles of 1 to 16 characters; "
            "the PACS' administrator knows both"
        )
    return Address(scheme, host, _PORTS[scheme] if port is None else port, called=called, calling=calling)
