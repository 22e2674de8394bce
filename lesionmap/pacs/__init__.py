"""The PACS: studies found there, retrieved into a folder, and results sent back.

Two ways to speak with it, told apart by the URL, behind one Protocol: DICOMweb (``https://host/dicom-web``) and the
older network protocol DIMSE (``dicom://CALLED@host:port``; ``dicoms://`` with TLS). The packages for both are the extra
``pacs`` and are imported by ``open_pacs`` only.

Examples
--------
>>> with open_pacs("https://pacs.example/dicom-web") as pacs:  # doctest: +SKIP
...     (found,) = pacs.find(Query(accession="A-2010-17"))
...     retrieve(pacs, found.study_uid, "images")
"""

from lesionmap.pacs.access import forget, open_pacs, remember
from lesionmap.pacs.facts import Contents, FoundStudy, Outgoing, Pacs, Query, Retrieved, Sent
from lesionmap.pacs.transfer import folder_of, retrieve, send
from lesionmap.pacs.trouble import UnreachableError

__all__ = [
    "Contents",
    "FoundStudy",
    "Outgoing",
    "Pacs",
    "Query",
    "Retrieved",
    "Sent",
    "UnreachableError",
    "folder_of",
    "forget",
    "open_pacs",
    "remember",
    "retrieve",
    "send",
]
