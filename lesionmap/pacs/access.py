"""How a PACS lets us in: credentials from the environment or the system's keyring, certificates for TLS.

Credentials are never part of a URL, a study, a message or a log.
"""

from __future__ import annotations

import json
import os
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.pacs.address import address_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lesionmap.pacs.address import Address
    from lesionmap.pacs.facts import Pacs

__all__ = ["Credentials", "address_for_keyring", "forget", "open_pacs", "remember"]

_USER, _PASSWORD, _TOKEN = "LESIONMAP_PACS_USER", "LESIONMAP_PACS_PASSWORD", "LESIONMAP_PACS_TOKEN"
_ENTRY = "pacs"
_PACKAGES = {"dicomweb_client": "dicomweb-client", "pynetdicom": "pynetdicom"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and password (basic authentication), or a token (bearer)."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


def open_pacs(
    url: str,
    *,
    ca: str | Path | None = None,
    cert: str | Path | None = None,
    credentials: Credentials | None = None,
    timeout_s: float = 120.0,
) -> Pacs:
    """Make ready to speak with a PACS; nothing is sent yet.

    Parameters
    ----------
    url : str
        As ``address_of`` reads it.
    ca : path-like, optional
        Certificates (PEM) to trust in place of the system's.
    cert : path-like, optional
        Our own certificate and key (PEM, one file), where the PACS asks for it.
    credentials : Credentials, optional
        For DICOMweb. Without them: LESIONMAP_PACS_TOKEN, or LESIONMAP_PACS_USER and LESIONMAP_PACS_PASSWORD, else
        what the keyring holds for this URL, else none.
    timeout_s : float
        How long to wait for an answer, in seconds; for a connection no longer than 10 s.

    Raises
    ------
    LesionmapError
        For a wrong URL, missing packages, unreadable certificates, or credentials that would travel unencrypted.
    """
    address = address_of(url)
    _check_package("dicomweb_client" if address.web else "pynetdicom")
    if not address.tls and (ca or cert):
        raise LesionmapError(f"--ca and --cert are for https and dicoms, got {address.scheme}; correct the URL")
    context = _tls_context(ca, cert) if address.tls else None
    if address.web:
        from lesionmap.pacs.dicomweb import WebPacs

        known = credentials or _from_environment() or _from_keyring(address)
        if known is not None:
            _check_channel(address)
        return WebPacs(address, known, context, timeout_s)
    from lesionmap.pacs.dimse import DimsePacs

    return DimsePacs(address, context, timeout_s)


def _check_package(name: str) -> None:
    if find_spec(name) is None:
        raise LesionmapError(
            f'speaking with a PACS needs {_PACKAGES.get(name, name)}, not installed here: pip install "lesionmap[pacs]"'
        )


def _check_channel(address: Address) -> None:
    if not (address.tls or address.loopback):
        raise LesionmapError(
            f"credentials would travel unencrypted to {address.host} by http, where others can read them; use https"
        )


def _tls_context(ca: str | Path | None, cert: str | Path | None) -> ssl.SSLContext:
    """Trust the system's authorities, or those of a file alone; names are always checked."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise LesionmapError(f"certificates (PEM) were expected in {ca}; it cannot be read as such") from error
    if cert is not None:
        try:
            context.load_cert_chain(cert)
        except OSError as error:
            raise LesionmapError(f"a certificate and its key (PEM) were expected in {cert}; give both there") from error
    return context


def _from_environment() -> Credentials | None:
    user, password, token = (os.environ.get(name, "") for name in (_USER, _PASSWORD, _TOKEN))
    if token:
        return Credentials(token=token)
    if bool(user) != bool(password):
        raise LesionmapError(f"{_USER} and {_PASSWORD} go together; one of them is empty or missing")
    return Credentials(user, password) if user else None


def _service(address: Address) -> str:
    return f"lesionmap {address.url}"


def _has_keyring() -> bool:
    """Say whether this system has a keyring; a server often has none."""
    if find_spec("keyring") is None:
        return False
    import keyring
    from keyring.backends.fail import Keyring as NoKeyring

    return not isinstance(keyring.get_keyring(), NoKeyring)


@contextmanager
def _opened() -> Iterator[None]:
    """Say in one line why a keyring does not open."""
    from keyring.errors import KeyringError

    try:
        yield
    except KeyringError as error:
        raise LesionmapError(
            f"the system's keyring cannot be opened ({type(error).__name__}); unlock it, or set {_USER} and {_PASSWORD}"
        ) from error


def _from_keyring(address: Address) -> Credentials | None:
    """Give what ``remember`` stored; None where nothing was, or where the system has no keyring."""
    if not _has_keyring():
        return None
    import keyring

    with _opened():
        stored = keyring.get_password(_service(address), _ENTRY)
    return Credentials(**json.loads(stored)) if stored else None


def remember(url: str, credentials: Credentials) -> None:
    """Store credentials for a URL in the system's keyring.

    Raises
    ------
    LesionmapError
        If the URL is not one of DICOMweb, they would travel unencrypted, or there is no keyring.
    """
    address = address_for_keyring(url)
    import keyring

    kept = {"user": credentials.user, "password": credentials.password, "token": credentials.token}
    with _opened():
        keyring.set_password(_service(address), _ENTRY, json.dumps(kept))


def forget(url: str) -> bool:
    """Remove what the keyring holds for a URL; False where it holds nothing.

    Raises
    ------
    LesionmapError
        If the URL is not one of DICOMweb, or there is no keyring.
    """
    address = address_for_keyring(url)
    import keyring

    with _opened():
        if keyring.get_password(_service(address), _ENTRY) is None:
            return False
        keyring.delete_password(_service(address), _ENTRY)
    return True


def address_for_keyring(url: str) -> Address:
    """Read a URL whose credentials the keyring may hold, or raise LesionmapError where it cannot be."""
    address = address_of(url)
    if not address.web:
        raise LesionmapError(f"{address.scheme} knows no password: the PACS knows us by AE title and certificate")
    _check_package("keyring")
    if not _has_keyring():
        raise LesionmapError(
            f"this system has no keyring to store a password in; set {_USER} and {_PASSWORD}, or {_TOKEN}, instead"
        )
    _check_channel(address)
    return address
