from __future__ import annotations

import datetime
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from vivavoce.core.errors import ConfigError
from vivavoce.server.tls import SelfSigned, self_signed, server_context

NOW = datetime.datetime.now(datetime.UTC)


def shake_hands(files: SelfSigned, name: str) -> ssl.SSLObject:
    """Let a client that trusts the authority meet the server, in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=str(files.authority))
    # What Python 3.13 demands of every certificate.
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    client = context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context(str(files.server), "").wrap_bio(to_server, to_client, server_side=True)
    done = 0
    while done < 2:
        done = 0
        for side in (client, server):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                continue
    return client


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_client_that_trusts_the_authority_connects(tmp_path: Path, name: str) -> None:
    client = shake_hands(self_signed(tmp_path / "tls", "127.0.0.1", NOW), name)
    assert client.version() in ("TLSv1.2", "TLSv1.3")


def test_other_names_are_not_covered(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(self_signed(tmp_path, "127.0.0.1", NOW), "example.com")


def test_the_key_is_on_p256_and_for_its_owner_alone(tmp_path: Path) -> None:
    files = self_signed(tmp_path / "deep" / "tls", "127.0.0.1", NOW)
    key = load_pem_private_key(files.server.read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    assert isinstance(key.curve, SECP256R1)
    assert stat.S_IMODE(files.server.stat().st_mode) == 0o600
    assert b"PRIVATE" not in files.authority.read_bytes()
    assert sorted(path.name for path in files.server.parent.iterdir()) == ["ca.pem", "server.pem"]


def test_the_authority_may_sign_no_further_authority(tmp_path: Path) -> None:
    authority = x509.load_pem_x509_certificate(self_signed(tmp_path, "127.0.0.1", NOW).authority.read_bytes())
    limits = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (limits.ca, limits.path_length) == (True, 0)


def test_a_certificate_is_kept_until_shortly_before_its_end(tmp_path: Path) -> None:
    files = self_signed(tmp_path, "127.0.0.1", NOW)
    first = files.server.read_bytes()
    self_signed(tmp_path, "127.0.0.1", NOW + datetime.timedelta(days=360))
    assert files.server.read_bytes() == first
    self_signed(tmp_path, "127.0.0.1", NOW + datetime.timedelta(days=370))
    assert files.server.read_bytes() != first


def test_the_authority_is_restored_from_the_servers_file(tmp_path: Path) -> None:
    files = self_signed(tmp_path, "127.0.0.1", NOW)
    first = files.authority.read_bytes()
    files.authority.unlink()
    self_signed(tmp_path, "127.0.0.1", NOW)
    assert files.authority.read_bytes() == first
    files.authority.write_bytes(b"something else")
    self_signed(tmp_path, "127.0.0.1", NOW)
    assert files.authority.read_bytes() == first


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_damaged_file_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "server.pem").write_bytes(content)
    shake_hands(self_signed(tmp_path, "127.0.0.1", NOW), "localhost")


def test_a_key_of_another_certificate_is_replaced(tmp_path: Path) -> None:
    files, other = self_signed(tmp_path / "a", "127.0.0.1", NOW), self_signed(tmp_path / "b", "127.0.0.1", NOW)
    end = b"-----END PRIVATE KEY-----\n"
    key, chain = other.server.read_bytes().partition(end)[0], files.server.read_bytes().partition(end)[2]
    files.server.write_bytes(key + end + chain)
    shake_hands(self_signed(tmp_path / "a", "127.0.0.1", NOW), "localhost")


def test_a_certificate_for_another_machine_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = self_signed(tmp_path, "127.0.0.1", NOW).server.read_bytes()
    monkeypatch.setattr("socket.gethostname", lambda: "other.example")
    files = self_signed(tmp_path, "127.0.0.1", NOW)
    assert files.server.read_bytes() != first
    shake_hands(files, "other.example")


@pytest.mark.parametrize("host", ["192.0.2.9", "voice.example", "[2001:db8::1]"])
def test_the_host_that_is_listened_on_is_covered(tmp_path: Path, host: str) -> None:
    first = self_signed(tmp_path, "127.0.0.1", NOW).server.read_bytes()
    files = self_signed(tmp_path, host, NOW)
    assert files.server.read_bytes() != first
    shake_hands(files, host.strip("[]"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "größe.example"])
def test_hosts_that_no_certificate_can_name_are_left_out(tmp_path: Path, host: str) -> None:
    first = self_signed(tmp_path, "127.0.0.1", NOW).server.read_bytes()
    assert self_signed(tmp_path, host, NOW).server.read_bytes() == first


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--state-dir"):
        self_signed(tmp_path / "file" / "tls", "127.0.0.1", NOW)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    good = self_signed(tmp_path / "good", "127.0.0.1", NOW)
    other = self_signed(tmp_path / "other", "127.0.0.1", NOW)
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    with pytest.raises(ConfigError, match=r"missing\.pem cannot be read"):
        server_context(str(tmp_path / "missing.pem"), "")
    with pytest.raises(ConfigError, match=r"gone\.pem cannot be read"):
        server_context(str(good.server), str(tmp_path / "gone.pem"))
    with pytest.raises(ConfigError, match=r"nonsense\.pem"):
        server_context(str(nonsense), "")
    with pytest.raises(ConfigError, match="not a certificate and its key"):
        server_context(str(good.server), str(other.server))


def test_encrypted_keys_are_refused_without_asking(tmp_path: Path) -> None:
    files = self_signed(tmp_path, "127.0.0.1", NOW)
    key = load_pem_private_key(files.server.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(ConfigError, match="encrypted"):
        server_context(str(files.server), str(locked))
