"""DICOMweb: QIDO-RS to find, WADO-RS to retrieve, STOW-RS to send."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from email.message import Message
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import requests
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.datadict import keyword_for_tag
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth

from lesionmap.errors import LesionmapError
from lesionmap.pacs.facts import STUDY_KEYWORDS, Sent, fitting, found_study
from lesionmap.pacs.trouble import UnreachableError, status_words, unreachable
from lesionmap.read.files import open_file
from lesionmap.read.header import broken

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from requests import PreparedRequest

    from lesionmap.pacs.access import Credentials
    from lesionmap.pacs.address import Address
    from lesionmap.pacs.facts import Contents, FoundStudy, Outgoing, Query, Take

__all__ = ["WebPacs"]

_CONNECT_S = 10.0
_PAGE = 500
_AS_STORED = (("application/dicom", "*"),)
_NOBODY = "2.25.0"  # a UID that no study has: the shortest question that shows no patient
_CHUNK = 1 << 18
_EPILOGUE = 1 << 10
"""Of an answer of many parts, within which its last boundary is looked for."""
_IN_ONE_PIECE = 1 << 31  # many proxies take no upload in chunks

_NOT_DICOMWEB = (
    "a DICOMweb service was expected at {url}, another answer came; check the path, which is often /dicom-web or /rs"
)
_ANSWERS = {
    400: "{url} does not understand the question (400); check the path, which is often /dicom-web or /rs",
    401: "{where} asks for credentials (401); set LESIONMAP_PACS_USER and LESIONMAP_PACS_PASSWORD, or "
    "LESIONMAP_PACS_TOKEN, or store them with 'lesionmap pacs login URL'",
    403: "{where} does not allow this (403); ask its administrator for the right to do it",
    404: _NOT_DICOMWEB,
    405: _NOT_DICOMWEB,
}


class _Trust(HTTPAdapter):
    """Checks certificates by our context alone, whatever bundles packages or the environment bring."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def build_connection_pool_key_attributes(
        self,
        request: PreparedRequest,
        verify: Any,  # noqa: ARG002
        cert: Any = None,
    ) -> Any:
        """Give no bundle that the environment names."""
        return super().build_connection_pool_key_attributes(request, True, cert)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the trust of the context as it is."""


class WebPacs:
    """A PACS by DICOMweb; see ``Pacs``."""

    def __init__(
        self, address: Address, credentials: Credentials | None, context: ssl.SSLContext | None, timeout_s: float
    ) -> None:
        for name in ("dicomweb_client", "urllib3", "retrying"):  # they tell what was asked: whose images
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._address = address
        self._session = requests.Session()
        self._session.auth = _signing(credentials)
        self._session.headers["Accept"] = "application/dicom+json"
        self._session.hooks["response"].append(_to_the_end)
        if context is not None:
            self._session.mount("https://", _Trust(context))
        self._known = credentials is not None
        wait = (min(_CONNECT_S, timeout_s), timeout_s)
        self._client = DICOMwebClient(address.url, self._session, chunk_size=_CHUNK, timeout=wait, permissive_uid=True)
        self._client.set_http_retry_params(retry=False)  # a user waits, and may ask again

    def check(self) -> None:
        """Ask for a study that nobody has."""
        with self._plain_words():
            self._client.search_for_studies(limit=1, search_filters={"StudyInstanceUID": _NOBODY})

    def find(self, query: Query) -> tuple[FoundStudy, ...]:
        """Give the studies that match, oldest first."""

        def page(offset: int) -> list[dict[str, dict[str, Any]]]:
            return self._client.search_for_studies(
                limit=_PAGE, offset=offset, fields=STUDY_KEYWORDS, search_filters=query.keys()
            )

        return fitting(query, (found_study(values) for values in self._pages(page, "StudyInstanceUID")))

    def contents(self, study_uid: str) -> Contents:
        """List the files of a study; empty where the PACS has no such study."""

        def page(offset: int) -> list[dict[str, dict[str, Any]]]:
            return self._client.search_for_instances(study_uid, limit=_PAGE, offset=offset, fields=["SOPClassUID"])

        found: dict[str, dict[str, str]] = {}
        for values in self._pages(page, "SOPInstanceUID", may_be_missing=True):
            series = found.setdefault(str(values["SeriesInstanceUID"]), {})
            series[str(values["SOPInstanceUID"])] = str(values.get("SOPClassUID") or "")
        return found

    def _pages(
        self, page: Callable[[int], list[dict[str, dict[str, Any]]]], key: str, *, may_be_missing: bool = False
    ) -> Iterator[Mapping[str, Any]]:
        """Ask page by page, until one brings nothing new: some servers send few at a time, some ignore the offset."""
        seen: set[str] = set()
        while True:
            new: list[Mapping[str, Any]] = []
            with self._plain_words(may_be_missing=may_be_missing):
                new = [values for row in page(len(seen)) if (values := _values(row))[key] not in seen]
            if not new:
                return
            seen.update(values[key] for values in new)
            yield from new

    def fetch(self, study_uid: str, series_uid: str, classes: Sequence[str], take: Take) -> None:  # noqa: ARG002
        """Have a series sent and hand over each file as it is stored."""
        with self._plain_words():
            arriving = self._client.iter_series(study_uid, series_uid, media_types=_AS_STORED)
        more = True
        while more:
            with self._plain_words():
                dataset = next(arriving, None)
                uid = "" if dataset is None else str(dataset.SOPInstanceUID)
            if dataset is None:
                return
            more = take(uid, dataset.save_as)
            del dataset  # before the next one comes

    def store(self, files: Sequence[Outgoing]) -> Iterator[Sent]:
        """Send files one by one, and say of each what became of it."""
        self._client.set_chunk_size(_IN_ONE_PIECE)
        try:
            for file in files:
                yield Sent(file.path, self._store(file.path))
        finally:
            self._client.set_chunk_size(_CHUNK)

    def _store(self, path: str) -> str:
        """Send one file: why it was refused, or nothing."""
        with open_file(path) as file:
            dataset = dcmread(file)
        try:
            with self._plain_words():
                return _refusal(self._client.store_instances([dataset]))
        except UnreachableError:
            raise
        except LesionmapError as error:
            return str(error)

    def close(self) -> None:
        """Let go of connections."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _plain_words(self, *, may_be_missing: bool = False) -> Iterator[None]:
        """Say in one line what went wrong; the words of the libraries hold the question, thus the patient."""
        try:
            yield
        except LesionmapError:
            raise
        except requests.HTTPError as error:
            answer = requests.Response() if error.response is None else error.response
            if may_be_missing and answer.status_code == HTTPStatus.NOT_FOUND:
                return
            raise self._answered(answer) from None
        except requests.exceptions.JSONDecodeError:
            raise self._not_dicomweb() from None
        except requests.RequestException as error:
            lost = UnreachableError(f"the connection with {self._address.where} was lost; try again")
            raise unreachable(error, self._address) or lost from None
        except broken():
            raise self._not_dicomweb() from None

    def _not_dicomweb(self) -> LesionmapError:
        return LesionmapError(_NOT_DICOMWEB.format(url=self._address.url))

    def _answered(self, response: requests.Response) -> LesionmapError:
        """Put the status of an answer into words (RFC 9110; PS3.18, 10.5.3)."""
        refused = _refusal_in(response)
        if refused:
            return LesionmapError(refused)
        status = response.status_code
        if status == HTTPStatus.UNAUTHORIZED and self._known:
            words = "{where} does not accept these credentials (401); correct user, password or token"
        else:
            words = _ANSWERS.get(status, "{where} answered with an error of its own ({status}); ask its administrator")
        return LesionmapError(words.format(where=self._address.where, url=self._address.url, status=status))


def _signing(credentials: Credentials | None) -> Callable[[PreparedRequest], PreparedRequest]:
    """Make what puts the credentials into each request; no other ones, as of a netrc file, are used then."""

    def sign(request: PreparedRequest) -> PreparedRequest:
        request.headers.pop("Host", None)  # the client library leaves the port out
        if credentials is not None and credentials.token:
            request.headers["Authorization"] = f"Bearer {credentials.token}"
        elif credentials is not None:
            HTTPBasicAuth(credentials.user.encode(), credentials.password.encode())(request)
        return request

    return sign


def _to_the_end(response: requests.Response, *_: Any, **__: Any) -> requests.Response:
    """Fail where an answer of many parts ends before its last boundary (RFC 2046, 5.1.1).

    A server that streams tells no length, and one that dies closes the connection as one that is done does: the client
    library would hand over the torn last part as a file.
    """
    message = Message()
    message["Content-Type"] = response.headers.get("Content-Type", "")
    boundary = message.get_boundary()
    if boundary is None:
        return response
    last = f"--{boundary}--".encode()
    pieces = response.iter_content

    def iter_content(*args: Any, **kwargs: Any) -> Iterator[bytes]:
        end = b""
        for piece in pieces(*args, **kwargs):
            end = (end + piece[-_EPILOGUE:])[-_EPILOGUE:]
            yield piece
        if last not in end:
            raise requests.ConnectionError("the answer ended early")

    response.iter_content = iter_content  # type: ignore[method-assign]
    return response


def _values(row: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Give the values of a DICOM JSON object by keyword; several ones as a list."""
    values: dict[str, Any] = {}
    for tag, element in row.items():
        plain = [x.get("Alphabetic", "") if isinstance(x, dict) else x for x in element.get("Value") or ()]
        values[keyword_for_tag(int(tag, 16)) or tag] = plain[0] if len(plain) == 1 else plain
    return values


def _refusal(answer: Dataset) -> str:
    """Read what a STOW-RS answer says of the one file that was sent; empty where it is stored."""
    failed = answer.get("FailedSOPSequence") or ()
    if failed:
        return status_words(int(failed[0].get("FailureReason") or 0))
    if answer.get("ReferencedSOPSequence"):
        return ""
    return "the PACS did not say whether it stored the file; look with 'lesionmap pacs find', then send it again"


def _refusal_in(response: requests.Response) -> str:
    """Give the reason that stands in the body of an error; empty where there is none."""
    try:
        answer = Dataset.from_json(response.json())
    except broken():
        return ""
    return _refusal(answer) if answer.get("FailedSOPSequence") else ""
