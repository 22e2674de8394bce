"""DIMSE, the older network protocol of DICOM: C-FIND to find, C-GET to retrieve, C-STORE to send, C-ECHO to check."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from pydicom import Dataset, dcmread, uid
from pynetdicom import AE, _config, build_context, build_role, evt
from pynetdicom.pdu_primitives import A_ASSOCIATE

from lesionmap.errors import LesionmapError
from lesionmap.pacs.facts import STUDY_KEYWORDS, Sent, fitting, found_study
from lesionmap.pacs.trouble import UnreachableError, probe, status_words
from lesionmap.read.files import open_file
from lesionmap.read.header import broken

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping, Sequence

    from pynetdicom.association import Association
    from pynetdicom.events import Event
    from pynetdicom.presentation import PresentationContext

    from lesionmap.pacs.address import Address
    from lesionmap.pacs.facts import Contents, FoundStudy, Outgoing, Query, Take

__all__ = ["DimsePacs"]

_CONNECT_S = 10.0
_VERIFICATION = "1.2.840.10008.1.1"
_FIND = "1.2.840.10008.5.1.4.1.2.2.1"  # study root, as C-GET below
_GET = "1.2.840.10008.5.1.4.1.2.2.3"
_MOST_CONTEXTS = 128
_PENDING = (0xFF00, 0xFF01)
_NO_MORE = 0xA700  # out of resources: what a receiver says that takes no more

_RAW: list[str | uid.UID] = [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian]
_COMPRESSED = [
    *(uid.JPEGLosslessSV1, uid.JPEG2000Lossless, uid.JPEGLSLossless, uid.RLELossless, uid.JPEG2000),
    *(uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEGLossless),
    *(uid.DeflatedExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.HTJ2KLossless),
]
"""What a PACS may have stored, the most likely first."""

_CLASSES = (
    *(uid.MRImageStorage, uid.EnhancedMRImageStorage, uid.NuclearMedicineImageStorage),
    *(uid.SecondaryCaptureImageStorage, uid.SegmentationStorage, uid.Comprehensive3DSRStorage),
    *(uid.ComprehensiveSRStorage, uid.EnhancedSRStorage, uid.CTImageStorage, uid.EnhancedCTImageStorage),
    *(uid.PositronEmissionTomographyImageStorage, uid.EnhancedPETImageStorage, uid.EnhancedMRColorImageStorage),
    *(uid.ComputedRadiographyImageStorage, uid.DigitalXRayImageStorageForPresentation),
    *(uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage, uid.MultiFrameTrueColorSecondaryCaptureImageStorage),
    *(uid.GrayscaleSoftcopyPresentationStateStorage, uid.KeyObjectSelectionDocumentStorage, uid.MRSpectroscopyStorage),
)
"""Asked for where the PACS does not say what a series consists of."""

_REJECTED = {
    (1, 3): "does not know our AE title {0.calling}; have it entered there, or give another: dicom://CALLING@CALLED@…",
    (1, 7): "does not answer to the AE title {0.called}; correct it in the URL",
    (3, 1): "has too much to do now; try again later",
    (3, 2): "has too many connections now; try again later",
}
"""Source and reason of a rejection (PS3.8, 9.3.4)."""


class DimsePacs:
    """A PACS by DIMSE; see ``Pacs``. Every question opens an association of its own."""

    def __init__(self, address: Address, context: ssl.SSLContext | None, timeout_s: float) -> None:
        # The package logs questions and answers, which name patients.
        _config.LOG_HANDLER_LEVEL = "none"
        _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
        self._address = address
        self._tls = context
        self._ae = AE(ae_title=address.calling)
        self._ae.connection_timeout = self._ae.acse_timeout = min(_CONNECT_S, timeout_s)
        self._ae.dimse_timeout = self._ae.network_timeout = timeout_s

    def check(self) -> None:
        """Ask for an echo."""
        with self._association([build_context(_VERIFICATION)], "echo (C-ECHO)") as association:
            status = association.send_c_echo()
        self._done(status, "the echo")

    def find(self, query: Query) -> tuple[FoundStudy, ...]:
        """Give the studies that match, oldest first."""
        with self._finding() as association:
            answers = list(self._ask(association, "STUDY", STUDY_KEYWORDS, query.keys()))
        try:
            return fitting(query, map(found_study, map(_values, answers)))
        except broken() as error:
            raise LesionmapError(
                f"{self._address.where} answered with studies that make no sense ({type(error).__name__}); ask its "
                "administrator"
            ) from None

    def contents(self, study_uid: str) -> Contents:
        """List the files of a study; empty where the PACS has no such study."""
        found: dict[str, dict[str, str]] = {}
        with self._finding() as association:
            keys = {"StudyInstanceUID": study_uid}
            series = [str(x.SeriesInstanceUID) for x in self._ask(association, "SERIES", ("SeriesInstanceUID",), keys)]
            for one in series:
                keys["SeriesInstanceUID"] = one
                files = self._ask(association, "IMAGE", ("SOPInstanceUID", "SOPClassUID"), keys)
                found[one] = {str(x.SOPInstanceUID): str(x.get("SOPClassUID") or "") for x in files}
        return found

    @contextmanager
    def _finding(self) -> Iterator[Association]:
        with self._association([build_context(_FIND)], "searching (C-FIND, study root)") as association:
            yield association

    def _ask(
        self, association: Association, level: str, wanted: Sequence[str], keys: Mapping[str, str]
    ) -> Iterator[Dataset]:
        question = Dataset()
        question.QueryRetrieveLevel = level
        for keyword, value in (dict.fromkeys(wanted, "") | dict(keys)).items():
            setattr(question, keyword, value)
        if not "".join(keys.values()).isascii():
            question.SpecificCharacterSet = "ISO_IR 192"
        for status, answer in association.send_c_find(question, _FIND):
            if status.get("Status") in _PENDING:
                if answer is not None:
                    yield answer
            else:
                self._done(status, "the search")

    def fetch(self, study_uid: str, series_uid: str, classes: Sequence[str], take: Take) -> None:
        """Have a series sent and hand over each file as it is stored."""
        contexts = _receiving(sorted(set(classes)) or _CLASSES)
        receiver = _Receiver(take)
        question = Dataset()
        question.QueryRetrieveLevel = "SERIES"
        question.StudyInstanceUID, question.SeriesInstanceUID = study_uid, series_uid
        with self._association(
            [build_context(_GET), *contexts], "retrieving (C-GET, study root)", receiver=receiver
        ) as association:
            status = Dataset()
            for status, _ in association.send_c_get(question, _GET):  # noqa: B007
                pass
        if receiver.error is not None:
            raise receiver.error
        if receiver.more:
            self._done(status, "a series")

    def store(self, files: Sequence[Outgoing]) -> Iterator[Sent]:
        """Send files one by one, and say of each what became of it."""
        rest = list(files)
        while rest:
            batch = _batch(rest)
            rest = rest[len(batch) :]
            contexts = [build_context(*pair) for pair in dict.fromkeys((x.sop_class, x.syntax) for x in batch)]
            try:
                with self._association(contexts, "storing (C-STORE)") as association:
                    for file in batch:
                        yield Sent(file.path, self._store(association, file))
            except _NothingOfThisError:
                yield from (Sent(file.path, _not_taken(file)) for file in batch)

    def _store(self, association: Association, file: Outgoing) -> str:
        """Send one file: why it was refused, or nothing."""
        agreed = {(str(x.abstract_syntax), str(x.transfer_syntax[0])) for x in association.accepted_contexts}
        if (file.sop_class, file.syntax) not in agreed:
            return _not_taken(file)
        with open_file(file.path) as opened:
            dataset = dcmread(opened)
        status = association.send_c_store(dataset)
        if "Status" not in status:
            raise self._lost()
        code = int(status.Status)
        return "" if code == 0 or 0xB000 <= code <= 0xBFFF else status_words(code)

    def close(self) -> None:
        """Let go of connections."""
        self._ae.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _association(
        self, contexts: list[PresentationContext], what: str, receiver: _Receiver | None = None
    ) -> Iterator[Association]:
        """Come to terms with the PACS about ``what``, and part when the block ends."""
        address = self._address
        roles = {str(context.abstract_syntax) for context in contexts if receiver} - {_GET}
        try:
            association = self._ae.associate(
                address.host,
                address.port,
                contexts,
                ae_title=address.called,
                ext_neg=[build_role(one, scp_role=True) for one in sorted(roles)],
                tls_args=None if self._tls is None else (self._tls, address.host),
                evt_handlers=[(evt.EVT_C_STORE, receiver)] if receiver else [],
            )
        except OSError:  # a host that has no address
            raise self._lost() from None
        if not association.is_established:
            raise self._why_not(association, what)
        ended = False
        try:
            yield association
            ended = True
        finally:
            if ended and association.is_established:
                association.release()
            else:
                association.abort()

    def _why_not(self, association: Association, what: str) -> LesionmapError:
        """Tell why no association came about."""
        where, answer = self._address.where, association.acceptor.primitive
        if association.is_rejected and isinstance(answer, A_ASSOCIATE):
            words = _REJECTED.get((answer.result_source or 0, answer.diagnostic or 0))
            return UnreachableError(f"{where} {(words or 'rejects us without a reason').format(self._address)}")
        if isinstance(answer, A_ASSOCIATE):
            return _NothingOfThisError(f"{where} offers no {what}; ask its administrator, or use its DICOMweb service")
        return self._lost()

    def _lost(self) -> UnreachableError:
        address = self._address
        return probe(address, self._tls, _CONNECT_S) or UnreachableError(
            f"{address.where} is there, but speaks no DICOM with us; check the port, TLS (dicoms), and whether the "
            f"PACS knows our AE title {address.calling}"
        )

    def _done(self, status: Dataset, what: str) -> None:
        """Raise LesionmapError unless the PACS ended well."""
        if "Status" not in status:
            raise self._lost()
        code = int(status.Status)
        if code == 0:
            return
        failed = int(status.get("NumberOfFailedSuboperations") or 0)
        files = f", {failed} files failed" if failed else ""
        raise LesionmapError(
            f"{self._address.where} did not finish {what} (status {code:04X}{files}); try again, or ask its "
            "administrator"
        )


class _NothingOfThisError(LesionmapError):
    """The PACS accepted none of the presentation contexts."""


class _Receiver:
    """Takes what C-GET brings. The package swallows what its handlers raise, so an error is kept for later."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self.more = True
        self.error: OSError | LesionmapError | None = None

    def __call__(self, event: Event) -> int:
        if not self.more:
            return _NO_MORE
        try:
            self.more = self._take(
                str(event.request.AffectedSOPInstanceUID),  # type: ignore[union-attr]
                lambda file: file.write(event.encoded_dataset()),
            )
        except (OSError, LesionmapError) as error:
            self.error, self.more = error, False
        if not self.more:
            event.assoc.send_c_cancel(1, query_model=_GET)
        return 0 if self.error is None else _NO_MORE


def _not_taken(file: Outgoing) -> str:
    kind, syntax = uid.UID(file.sop_class).name, uid.UID(file.syntax).name
    return f"the PACS takes no {kind} in {syntax}; send it in another form, or ask its administrator"


def _receiving(classes: Sequence[str]) -> list[PresentationContext]:
    """Propose to receive these SOP Classes: raw, and in each compressed form by itself, as far as 128 contexts go.

    One context has one transfer syntax in the end: only contexts of their own let a PACS send each file as stored.
    """
    room = _MOST_CONTEXTS - 1
    classes = classes[:room]
    each = room // len(classes) - 1
    return [
        context
        for one in classes
        for context in (build_context(one, _RAW), *(build_context(one, syntax) for syntax in _COMPRESSED[:each]))
    ]


def _batch(files: Sequence[Outgoing]) -> list[Outgoing]:
    """Give as many of the first files as one association can carry."""
    pairs: set[tuple[str, str]] = set()
    batch: list[Outgoing] = []
    for file in files:
        pairs.add((file.sop_class, file.syntax))
        if len(pairs) > _MOST_CONTEXTS:
            break
        batch.append(file)
    return batch


def _values(answer: Dataset) -> dict[str, object]:
    """Give the values of an answer by keyword; several ones as a list."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's repeat values, which may name people
        return {element.keyword: list(element.value) if element.VM > 1 else element.value for element in answer}
