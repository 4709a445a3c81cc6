"""DTLS-SRTP (RFC 5764) with one party: the handshake, the keys for media, and the records that carry data channels.

OpenSSL does the work; datagrams go in and come out by function calls, so a call needs no task of its own.  The only
module that names pyOpenSSL and pylibsrtp.  Called by `peer`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .borrowed import Identity
from .offer import Fingerprint

if TYPE_CHECKING:
    import pylibsrtp
    from OpenSSL import SSL

__all__ = ["Dtls", "DtlsError", "Srtp"]

_MTU_BYTES = 1200
"""What passes everywhere, IPv6 tunnels included."""
_RECORD_HEADER_BYTES = 13
_RECORD_BYTES = 16_384 + 256
_MOST_RECORDS = 64
"""Records that are read of one datagram at most."""
_REPLAY_WINDOW = 1024
_MOST_SOURCES = 16
"""Streams that one party may send: libsrtp keeps something for each."""


class DtlsError(Exception):
    """The connection cannot be secured, or was ended by the party."""


class Srtp:
    """The keys of both directions."""

    def __init__(self, profile: int, receiving: bytes, sending: bytes) -> None:
        import pylibsrtp

        self._errors = (pylibsrtp.Error, ValueError)
        inbound = pylibsrtp.Policy(receiving, pylibsrtp.Policy.SSRC_ANY_INBOUND, srtp_profile=profile)
        outbound = pylibsrtp.Policy(sending, pylibsrtp.Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
        inbound.window_size = outbound.window_size = _REPLAY_WINDOW
        self._receiving: pylibsrtp.Session = pylibsrtp.Session(inbound)
        sending_session = pylibsrtp.Session(outbound)
        self.protect = sending_session.protect
        """Return an RTP packet secured."""
        self.protect_rtcp = sending_session.protect_rtcp
        """Return RTCP secured."""
        self._sources: set[bytes] = set()

    def unprotect(self, data: bytes) -> bytes | None:
        """Return an RTP packet in the clear, or None if it is forged, repeated or of one stream too many."""
        source = data[8:12]
        if source not in self._sources and len(self._sources) >= _MOST_SOURCES:
            return None
        try:
            clear: bytes = self._receiving.unprotect(data)
        except self._errors:
            return None
        self._sources.add(source)
        return clear

    def unprotect_rtcp(self, data: bytes) -> bytes | None:
        """Return RTCP in the clear, or None if it is forged, repeated or of one stream too many."""
        source = data[4:8]
        if source not in self._sources and len(self._sources) >= _MOST_SOURCES:
            return None
        try:
            clear: bytes = self._receiving.unprotect_rtcp(data)
        except self._errors:
            return None
        self._sources.add(source)
        return clear


class Dtls:
    """One connection."""

    def __init__(
        self,
        identity: Identity,
        fingerprints: tuple[Fingerprint, ...],
        send: Callable[[bytes], None],
        *,
        is_server: bool,
    ) -> None:
        """Prepare; `start` begins.  `send` takes datagrams for the party."""
        from OpenSSL import SSL

        self._ssl_module = SSL
        self._identity = identity
        self._fingerprints = fingerprints
        self._send = send
        self._connection: SSL.Connection = SSL.Connection(identity.ssl_context)
        self._connection.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
        self._connection.set_ciphertext_mtu(_MTU_BYTES)
        self.is_server = is_server
        """Whether the party begins."""
        if is_server:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
        self.srtp: Srtp | None = None
        """The keys for media, once the handshake is through."""
        self._retry_at: float | None = None

    def start(self, now: float) -> None:
        """Begin the handshake, or wait for the party to.

        Raises:
            DtlsError: OpenSSL refuses.
        """
        self._shake(now)

    def receive(self, data: bytes, now: float) -> list[bytes]:
        """Take a datagram of the party and return the messages that came with it.

        Raises:
            DtlsError: the handshake failed, or the party has ended the connection.
        """
        ssl = self._ssl_module
        try:
            self._connection.bio_write(data)
        except ssl.Error as error:
            raise DtlsError(f"DTLS: {_reason(error)}") from error
        if self.srtp is None:
            self._shake(now)
            if self.srtp is None:
                return []
        messages = []
        for _ in range(_MOST_RECORDS):
            try:
                messages.append(self._connection.recv(_RECORD_BYTES))
            except ssl.ZeroReturnError as error:
                raise DtlsError("the party has ended the connection") from error
            except ssl.WantReadError:
                break
            except ssl.Error:
                break  # a record that cannot be read is dropped, as RFC 6347 section 4.1.2.7 has it
        self._flush()
        return messages

    def receive_time(self, now: float) -> None:
        """Send the last flight again if it is time.

        Raises:
            DtlsError: OpenSSL has given up.
        """
        if self._retry_at is None or now < self._retry_at or self.srtp is not None:
            return
        try:
            self._connection.DTLSv1_handle_timeout()
        except self._ssl_module.Error as error:
            raise DtlsError(f"the DTLS handshake failed: {_reason(error)}") from error
        self._flush()
        self._set_retry(now)

    def send(self, data: bytes) -> None:
        """Send a message; before the handshake and after the end it is dropped, as on the way."""
        if self.srtp is None:
            return
        try:
            self._connection.send(data)
        except self._ssl_module.Error:
            return
        self._flush()

    def close(self) -> None:
        """Tell the party that this is the end."""
        try:
            self._connection.shutdown()
        except self._ssl_module.Error:
            return  # there is no connection yet that could be ended
        self._flush()

    def _shake(self, now: float) -> None:
        ssl = self._ssl_module
        try:
            self._connection.do_handshake()
        except ssl.WantReadError:
            self._flush()
            self._set_retry(now)
            return
        except ssl.Error as error:
            self._flush()
            raise DtlsError(f"the DTLS handshake failed: {_reason(error)}") from error
        self._flush()
        self._check_party()
        self.srtp = self._keys()

    def _set_retry(self, now: float) -> None:
        wait = self._connection.DTLSv1_get_timeout()
        self._retry_at = None if wait is None else now + wait

    def _check_party(self) -> None:
        """Compare the party's certificate with what its offer said of it."""
        certificate = self._connection.get_peer_certificate()
        if certificate is None:
            raise DtlsError("the party has no certificate")
        for each in self._fingerprints:
            if certificate.digest(each.algorithm.replace("-", "")).decode() != each.value:
                raise DtlsError("the party's certificate is not the one of its offer")

    def _keys(self) -> Srtp:
        chosen = self._connection.get_selected_srtp_profile()
        profile = next((each for each in self._identity.profiles if each.openssl_profile == chosen), None)
        if profile is None:
            raise DtlsError("the party knows no way to secure media that is known here")
        length = 2 * (profile.key_length + profile.salt_length)
        material = self._connection.export_keying_material(b"EXTRACTOR-dtls_srtp", length)
        client, server = profile.get_key_and_salt(material, 0), profile.get_key_and_salt(material, 1)
        receiving, sending = (client, server) if self.is_server else (server, client)
        return Srtp(profile.libsrtp_profile, receiving, sending)

    def _flush(self) -> None:
        """Send what OpenSSL has written: whole records, as many in a datagram as fit."""
        datagram = b""
        for record in self._records():
            if datagram and len(datagram) + len(record) > _MTU_BYTES:
                self._send(datagram)
                datagram = b""
            datagram += record
        if datagram:
            self._send(datagram)

    def _records(self) -> list[bytes]:
        written = b""
        while True:
            try:
                written += self._connection.bio_read(65_536)
            except self._ssl_module.Error:
                break
        records = []
        while len(written) >= _RECORD_HEADER_BYTES:
            size = _RECORD_HEADER_BYTES + int.from_bytes(written[11:13], "big")
            records.append(written[:size])
            written = written[size:]
        return records


def _reason(error: Any) -> str:
    """Return what OpenSSL says of an error."""
    details = error.args[0] if error.args and isinstance(error.args[0], list) and error.args[0] else None
    return str(details[0][-1]) if details else str(error) or "no reason given"
