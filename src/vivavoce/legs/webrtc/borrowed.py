"""What is taken from aiortc: its certificates and its SCTP with data channels.  The only module that names it.

Its ICE, its DTLS transport, its RTP and its SDP are not used.  Everything private that is touched stands here and in
`PRIVATE`, which a test compares with the aiortc that is installed.  The library brings PyAV, which takes half a second
to load, so it is imported when the port opens.  Called by `port`, `dtls` and `channel`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from aiortc import RTCCertificate, RTCSctpTransport

__all__ = ["PRIVATE", "Association", "Channel", "Identity", "SrtpProfile", "Wire"]

PRIVATE = {
    "RTCCertificate": ("_create_ssl_context",),
    "RTCSctpTransport": ("_handle_data", "_advertised_rwnd"),
}
"""Private names of aiortc that are used here, by the class they belong to."""

_WINDOW_BYTES = 1024 * 1024
"""What aiortc offers to hold of messages that are not complete."""
_SCTP_PORT = 5000


class SrtpProfile(Protocol):
    """A way to secure RTP that both DTLS and SRTP know."""

    libsrtp_profile: int
    openssl_profile: bytes
    key_length: int
    salt_length: int

    def get_key_and_salt(self, src: bytes, idx: int) -> bytes:
        """Return the key and salt of the client (0) or of the server (1)."""
        ...


class Channel(Protocol):
    """A data channel, as aiortc has it."""

    bufferedAmountLowThreshold: int

    @property
    def label(self) -> str:
        """What the party calls it."""
        ...

    @property
    def readyState(self) -> str:
        """`open`, or what comes before or after."""
        ...

    @property
    def bufferedAmount(self) -> int:
        """Bytes that wait."""
        ...

    def send(self, data: str) -> None:
        """Send a message of text."""
        ...

    def on(self, event: str, f: Callable[..., object]) -> object:
        """Have a function called for `message`, `close` or `bufferedamountlow`."""
        ...

    def remove_all_listeners(self) -> None:
        """Call nobody any more."""
        ...


class Identity:
    """A certificate of this process, and what every DTLS connection is made of."""

    def __init__(self) -> None:
        """Make a certificate; loads libraries, so takes its time and may be done in a thread."""
        from aiortc import RTCCertificate
        from aiortc.rtcdtlstransport import SRTP_PROFILES

        self._certificate: RTCCertificate = RTCCertificate.generateCertificate()
        self.profiles = cast("list[SrtpProfile]", SRTP_PROFILES)
        """What libsrtp can do, the best first."""
        # One for all connections: making it takes longer than the handshake's own work.
        self.ssl_context: Any = self._certificate._create_ssl_context(list(SRTP_PROFILES))
        """OpenSSL's, which asks for a certificate and takes any: the fingerprint is what counts."""
        sha256 = next(each for each in self._certificate.getFingerprints() if each.algorithm == "sha-256")
        self.fingerprint: str = sha256.value
        """SHA-256 of the certificate."""


class Wire:
    """What aiortc's SCTP takes for its DTLS transport: datagrams leave by a function."""

    state = "connected"

    def __init__(self, send: Callable[[bytes], None], *, is_server: bool) -> None:
        self._role = "server" if is_server else "client"
        self._send = send

    def _register_data_receiver(self, receiver: object) -> None:
        """Do nothing: whoever decrypts gives the data to the association."""

    def _unregister_data_receiver(self, receiver: object) -> None:
        """Do nothing."""

    async def _send_data(self, data: bytes) -> None:
        self._send(data)


class Association:
    """SCTP with one party."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        on_channel: Callable[[Channel], None],
        *,
        is_server: bool,
        remote_port: int,
        max_message_bytes: int,
    ) -> None:
        """Begin; `max_message_bytes` is what the party takes, 0 for any length."""
        from aiortc import RTCSctpCapabilities, RTCSctpTransport

        self._sctp: RTCSctpTransport = RTCSctpTransport(Wire(send, is_server=is_server), _SCTP_PORT)  # type: ignore[arg-type]
        self._sctp.on("datachannel", on_channel)
        _run(self._sctp.start(RTCSctpCapabilities(max_message_bytes), remote_port))

    def receive(self, data: bytes) -> None:
        """Take a decrypted packet.

        Raises:
            Exception: the party broke the protocol in a way that aiortc did not foresee.
        """
        _run(self._sctp._handle_data(data))

    @property
    def held_bytes(self) -> int:
        """How much is held of messages that are not complete."""
        return _WINDOW_BYTES - self._sctp._advertised_rwnd

    @property
    def is_closed(self) -> bool:
        """Whether the party has ended it."""
        return self._sctp.state == "closed"

    def close(self) -> None:
        """End it; nothing is left running."""
        _run(self._sctp.stop())


def _run(coroutine: Any) -> None:
    """Run a coroutine to its end at once: those of the association only ever wait for `Wire`, which does not wait."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("aiortc's SCTP waited for something")
