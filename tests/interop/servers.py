"""A real server as a child process, on a free port of this machine, plain or with TLS."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

KEY = "sk-interop_0123456789"
READY_SECONDS = 60


class Server(msgspec.Struct, frozen=True):
    """Where a server is reached."""

    host: str
    log: Path
    """What it printed."""
    certificate: Path | None = None
    """What clients must trust; None where it speaks plain HTTP."""
    pid: int = 0
    """The process that serves."""

    @property
    def http_url(self) -> str:
        """The base URL that clients of the HTTP API are given."""
        return f"{'https' if self.certificate else 'http'}://{self.host}/v1"

    @property
    def ws_url(self) -> str:
        """The base URL that clients of the WebSocket API are given."""
        return self.http_url.replace("http", "ws", 1)


@contextlib.contextmanager
def running(
    folder: Path, *, tls: bool, environment: Mapping[str, str] | None = None, port: int = 0
) -> Iterator[Server]:
    """A server that is ready, with these further settings, until the context ends; at any free port unless given."""
    with socket.create_server(("127.0.0.1", port)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("vivavoce")), "serve", "--host", "127.0.0.1", "--port", str(port)]
    certificate = None
    if tls:
        certificate, key = make_certificate(folder)
        command += ["--tls-cert", str(certificate), "--tls-key", str(key)]
    log_file = folder / "server.log"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIVAVOCE_")}
    inherited |= {"VIVAVOCE_API_KEYS": KEY, "VIVAVOCE_STATE_DIR": str(folder / "state"), "PYTHONUNBUFFERED": "1"}
    inherited |= environment or {}
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=inherited, cwd=folder)
    server = Server(f"localhost:{port}" if tls else f"127.0.0.1:{port}", log_file, certificate, process.pid)
    try:
        _await_ready(server, process)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    context = ssl.create_default_context(cafile=str(server.certificate)) if server.certificate else None
    url = server.http_url.removesuffix("/v1") + "/readyz"
    deadline = time.monotonic() + READY_SECONDS
    reason = "it never answered"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5, context=context) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError) as error:
            reason = str(error)
        time.sleep(0.1)
    said = server.log.read_text(encoding="utf-8", errors="replace")[-4000:]
    raise RuntimeError(f"the server is not ready ({reason}); it said:\n{said}")


def make_certificate(folder: Path, address: str = "127.0.0.1") -> tuple[Path, Path]:
    """Make a certificate for this machine that is its own authority, and its key; both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(address))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(pem))
    unencrypted = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, unencrypted))
    return cert_file, key_file
