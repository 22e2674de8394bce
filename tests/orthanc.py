"""Orthanc, a real PACS, started for the tests on free ports of this machine and stopped by its process id."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pacs_case import Stored

__all__ = [
    "PASSWORD",
    "READER",
    "USER",
    "Orthanc",
    "large",
    "no_credentials",
    "orthanc",
    "running",
    "secure_orthanc",
    "strict_orthanc",
]

USER, READER, PASSWORD = "lesionmap", "reader", "s3cret-wörd"
"""Of the strict one; ``READER`` may not send."""

_PROGRAM = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
_DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_PATIENCE_S = 30.0

_RULES = f"""
function ReceivedInstanceFilter(dicom, origin, info)
  return dicom.SeriesDescription ~= 'discard me'
end
function IncomingHttpRequestFilter(method, uri, ip, username, httpHeaders)
  return not (method == 'POST' and username == '{READER}')
end
"""


@dataclass(frozen=True)
class Orthanc:
    """A running PACS."""

    web: str
    """URL of its DICOMweb service."""
    dicom: str
    """URL of its DIMSE service; it is called ORTHANC and answers to no other name."""
    process: subprocess.Popen[bytes]
    folder: Path
    """Of its configuration; certificates too."""


@contextmanager
def running(folder: Path, *, tls: bool = False, **options: Any) -> Iterator[Orthanc]:
    """Run an Orthanc whose data lie in ``folder``, TLS on DIMSE; options replace those of its configuration."""
    if _PROGRAM is None or not _DICOMWEB.is_file():
        pytest.skip("needs the Debian packages orthanc and orthanc-dicomweb")
    folder.mkdir(parents=True, exist_ok=True)
    http, dicom = _free_port(), _free_port()
    configuration = {
        "Name": "TESTS",
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomPort": dicom,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowStore": True,
        "Plugins": [str(_DICOMWEB)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **(_tls(folder) if tls else {}),
        **options,
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([_PROGRAM, str(path)], stdout=log, stderr=log, cwd=folder)
    try:
        _wait_for(http, process, folder / "log")
        scheme = "dicoms" if tls else "dicom"
        yield Orthanc(f"http://127.0.0.1:{http}/dicom-web", f"{scheme}://ORTHANC@127.0.0.1:{dicom}", process, folder)
    finally:
        process.kill()  # its data are of no more use
        process.wait()


def _free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"Orthanc did not start within {_PATIENCE_S:g} s")


def _tls(folder: Path) -> dict[str, Any]:
    """Make a certificate of the server and one of the client (which it demands on DIMSE), each signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    for name in ("server", "client"):
        key, cert = folder / f"{name}.key", folder / f"{name}.crt"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", str(key), "-out", str(cert)]
        subprocess.run(command, check=True, capture_output=True)
        (folder / f"{name}.pem").write_bytes(cert.read_bytes() + key.read_bytes())
    return {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(folder / "server.crt"),
        "DicomTlsPrivateKey": str(folder / "server.key"),
        "DicomTlsTrustedCertificates": str(folder / "client.crt"),
        "DicomTlsRemoteCertificateRequired": True,
    }


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Give a PACS that is open to all."""
    with running(tmp_path_factory.mktemp("orthanc")) as pacs:
        yield pacs


@pytest.fixture(scope="session")
def strict_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Give a PACS with passwords that takes no compressed files and discards some silently."""
    folder = tmp_path_factory.mktemp("strict")
    (folder / "rules.lua").write_text(_RULES, encoding="utf-8")
    with running(
        folder,
        AuthenticationEnabled=True,
        RegisteredUsers={USER: PASSWORD, READER: PASSWORD},
        AcceptedTransferSyntaxes=["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"],
        LuaScripts=[str(folder / "rules.lua")],
    ) as pacs:
        yield pacs


@pytest.fixture(scope="session")
def secure_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Give a PACS with TLS on both ways.

    Debian's Orthanc 1.10.1 crashes on HTTPS (libcivetweb 1.15 with OpenSSL 3), so TLS ends before it, as behind a
    hospital's gateway; on DIMSE it is Orthanc's own.
    """
    with running(tmp_path_factory.mktemp("secure"), tls=True) as pacs:
        port = int(pacs.web.split(":")[2].partition("/")[0])
        with gateway(port, pacs.folder / "server.pem") as secure:
            yield replace(pacs, web=f"https://127.0.0.1:{secure}/dicom-web")


@contextmanager
def gateway(inner_port: int, certificate: Path | None = None, most: float = math.inf) -> Iterator[int]:
    """Take connections and pass them on to a port of this machine; give the port they are taken at.

    With a certificate they are TLS. A connection is closed in good order once ``most`` bytes have gone one way.
    """
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        left = most
        with suppress(OSError):  # the other side may go first
            while left > 0 and (data := await source.read(int(min(left, 1 << 16)))):
                left -= len(data)
                target.write(data)
                await target.drain()
        target.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", inner_port)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory, orthanc: Orthanc) -> Stored:
    """Give a study of 200 slices in the open PACS."""
    from dicom_files import grid, noise
    from pacs_case import stored

    return stored(tmp_path_factory.mktemp("large"), orthanc.web, stir=noise(grid((96, 128, 200))))


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the credentials and the keyring of this machine out."""
    import keyring
    from keyring.backends.fail import Keyring as NoKeyring

    for name in ("USER", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"LESIONMAP_PACS_{name}", raising=False)
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)
