"""Certificates: the operator's own, or one that is made here for use on this machine and its network.

Several client SDKs speak `wss` only, so even a server on loopback needs a certificate that its clients can be told to
trust.  That one is issued by a small authority whose key is forgotten at once: trusting its certificate trusts nothing
but this server.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import secrets
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from ..core.errors import ConfigError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = ["SelfSigned", "self_signed", "server_context"]

# The longest that Apple's systems accept from an authority that a user trusts is 825 days, from others 398.
_VALID_DAYS = 397
# Long before the end, so that a server that is restarted now and then never serves an expired one.
_RENEW_DAYS = 30


class SelfSigned(msgspec.Struct, frozen=True):
    """Where a certificate made here is kept."""

    server: Path
    """PEM file with the private key and the chain; for this server alone."""
    authority: Path
    """PEM file of the authority's certificate, which clients are to trust."""


def server_context(cert: str, key: str) -> ssl.SSLContext:
    """Return the context of a server that shows the certificate in a PEM file.

    Args:
        cert: file of the certificate and its chain.
        key: file of its private key; empty when it is in the same file.

    Raises:
        ConfigError: the files cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])

    def refuse() -> NoReturn:
        # OpenSSL would ask on the terminal, where a service has nobody to answer.
        raise ConfigError(f"the private key in {key or cert} is encrypted; give it without a pass phrase (--tls-key)")

    try:
        context.load_cert_chain(cert, key or None, password=refuse)
    except ssl.SSLError as error:
        raise ConfigError(f"{cert} and {key or 'the key in it'} are not a certificate and its key: {error}") from error
    except OSError as error:
        name = cert if not os.access(cert, os.R_OK) else key
        raise ConfigError(f"{name} cannot be read ({error.strerror}); see --tls-cert and --tls-key") from error
    return context


def self_signed(folder: Path, host: str, now: datetime.datetime) -> SelfSigned:
    """Return the certificate kept in `folder`, made anew when there is none or it is about to expire.

    It is valid for `localhost`, the loopback addresses, this machine's name, and `host`.

    Args:
        folder: where it is kept.
        host: the name or address that the server listens on.
        now: the time of day.

    Raises:
        ConfigError: it cannot be kept there.
    """
    files = SelfSigned(folder / "server.pem", folder / "ca.pem")
    # A certificate holds names in ASCII alone, and nobody connects to the wildcards.
    wanted = ("localhost", "127.0.0.1", "::1", socket.gethostname(), host.strip("[]"))
    names = [name for name in dict.fromkeys(wanted) if name.isascii() and name not in ("", "0.0.0.0", "::")]
    try:
        authority = _kept_authority(files.server, names, now)
        if authority is None:
            folder.mkdir(parents=True, exist_ok=True)
            server, authority = _issue(names, now)
            _write(files.server, server, 0o600)
        # The server's file alone decides, in case two processes made one at the same time.
        if not files.authority.exists() or files.authority.read_bytes() != authority:
            _write(files.authority, authority, 0o644)
    except OSError as error:
        raise ConfigError(f"no certificate can be kept in {folder} ({error.strerror}); see --state-dir") from error
    return files


def _kept_authority(file: Path, names: list[str], now: datetime.datetime) -> bytes | None:
    """Return the authority's certificate out of a server's file that can still be used, or None."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

    if not file.exists():
        return None
    data = file.read_bytes()
    try:
        leaf, authority = x509.load_pem_x509_certificates(data)
        key = load_pem_private_key(data, None)
        covered = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, x509.ExtensionNotFound):
        return None
    is_fresh = leaf.not_valid_after_utc - now > datetime.timedelta(days=_RENEW_DAYS)
    is_pair = key.public_key() == leaf.public_key()
    if is_fresh and is_pair and all(name in covered for name in _general_names(names)):
        return authority.public_bytes(Encoding.PEM)
    return None


def _issue(names: list[str], now: datetime.datetime) -> tuple[bytes, bytes]:
    """Return the server's key with its chain, and the authority's certificate, in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    # A name of its own for each: clients that trust two with one name may try the wrong one.
    issuer = _name(f"vivavoce {secrets.token_hex(8)}")
    own_id = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        _builder(issuer, issuer, authority_key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(own_id, critical=False)
        .sign(authority_key, _sha256())
    )
    leaf = (
        _builder(_name("vivavoce"), issuer, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own_id), critical=False)
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .sign(authority_key, _sha256())
    )
    trusted = authority.public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + leaf.public_bytes(Encoding.PEM) + trusted, trusted


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: datetime.datetime
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A day of slack for clocks that are behind.
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
    )


def _general_names(names: list[str]) -> list[x509.GeneralName]:
    from cryptography import x509

    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _name(text: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(**granted: bool) -> x509.KeyUsage:
    from cryptography import x509

    uses = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
        " encipher_only decipher_only"
    )
    return x509.KeyUsage(**{use: granted.get(use, False) for use in uses.split()})


def _sha256() -> Any:
    from cryptography.hazmat.primitives.hashes import SHA256

    return SHA256()


def _write(file: Path, data: bytes, mode: int) -> None:
    """Put a file in place, whole and with its permissions."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(data)
    draft.replace(file)
