"""Why a PACS cannot be reached, in one line."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lesionmap.pacs.address import Address

__all__ = ["UnreachableError", "probe", "status_words", "unreachable"]

_NETWORK = (ssl.SSLError, socket.gaierror, TimeoutError, ConnectionError)
_UNTRUSTED = "the TLS certificate of {where} is not trusted ({reason}); name the one that signed it with --ca FILE"
_NO_TLS = "no TLS came about with {where} ({reason}); does this port speak TLS, does it want a --cert FILE?"
_WORDS = (
    (ssl.SSLCertVerificationError, _UNTRUSTED),
    (ssl.SSLError, _NO_TLS),
    (socket.gaierror, "no machine named {host} is known; check the URL, or the VPN"),
    (ConnectionRefusedError, "nothing listens at {where}; check host and port, and that the PACS runs"),
    (TimeoutError, "{where} did not answer in time; check host and port, the VPN and the firewall"),
)
_OTHERWISE = "the connection with {where} failed ({reason}); try again"

_STATUS = (
    (0x0110, 0x0110, "it could not process it"),
    (0x0111, 0x0111, "it has this object already"),
    (0x0117, 0x0117, "it takes the object's identifiers for wrong"),
    (0x0122, 0x0122, "it does not store objects of this kind"),
    (0x0124, 0x0124, "it does not allow us to store"),
    (0xA700, 0xA7FF, "it is out of resources"),
    (0xA900, 0xA9FF, "the object is not what its SOP Class says"),
    (0xC122, 0xC122, "it does not store this transfer syntax"),
    (0xC000, 0xCFFF, "it cannot understand the object"),
)
"""Failures of C-STORE (PS3.4, B.2.3; PS3.7, C) and STOW-RS (PS3.3, C.12.1.1.16.2.1), first and last code."""


class UnreachableError(LesionmapError):
    """The PACS cannot be reached at all, or the connection was lost: asking again at once is of no use."""


def unreachable(error: BaseException, address: Address) -> UnreachableError | None:
    """Tell, by what the network said, why a PACS was not reached; None where it was.

    Neither the words of libraries nor what was asked are repeated: they may name a patient.
    """
    for cause in _causes(error):
        if isinstance(cause, OSError) and (cause.errno is not None or isinstance(cause, _NETWORK)):
            template = next((words for kind, words in _WORDS if isinstance(cause, kind)), _OTHERWISE)
            reason = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or cause.strerror
            words = str(reason or type(cause).__name__).strip().rstrip(".")
            return UnreachableError(template.format(where=address.where, host=address.host, reason=words))
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give the errors that an error was made of, itself last: the innermost knows best."""
    inside = [error.__cause__, error.__context__, getattr(error, "reason", None), *error.args]
    for inner in inside:
        if isinstance(inner, BaseException) and inner is not error:
            yield from _causes(inner)
    yield error


def probe(address: Address, context: ssl.SSLContext | None, timeout_s: float) -> UnreachableError | None:
    """Connect and let go again, to learn why a library that does not tell has failed; None where it works."""
    try:
        with socket.create_connection((address.host, address.port), timeout_s) as plain:
            if context is not None:
                context.wrap_socket(plain, server_hostname=address.host).close()
    except OSError as error:
        return unreachable(error, address)
    return None


def status_words(code: int) -> str:
    """Put the status of a refused object into words.

    Examples
    --------
    >>> status_words(0xA700)
    'the PACS refused it: it is out of resources (status A700)'
    """
    words = next((words for first, last, words in _STATUS if first <= code <= last), "it gives no reason")
    return f"the PACS refused it: {words} (status {code:04X})"
