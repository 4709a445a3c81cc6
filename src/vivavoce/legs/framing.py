"""WebSocket frames on a transport, of a server or a client: RFC 6455 from section 5 on, driven by picows.

picows finds the frames, masks and unmasks them and checks their heads.  What it leaves open is done here: the order of
fragments, UTF-8, the length of a whole message, reserved bits.  Called by `legs.websocket`, which decides what a fault
or a close means for the connection.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Protocol

from picows import WSAutoPingStrategy, WSFrame, WSListener, WSMsgType, WSTransport
from picows.picows import WSProtocol  # type: ignore[attr-defined]

__all__ = ["Framing", "Receiver", "accept_of"]

log = logging.getLogger(__name__)

_TEXT, _BINARY, _CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
_PING, _PONG = WSMsgType.PING, WSMsgType.PONG

_DATA = (_TEXT, _CONTINUATION)

# The parser reads frames only after an upgrade of its own; it gets one of these, and what it says goes nowhere.
_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: -\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
)
# RFC 6455 section 1.3.
_ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# Holds a frame of 100 ms of speech or five of 20 ms; doubles when a larger one comes.  There are two of it in a relay.
_READ_BUFFER_BYTES = 8 * 1024
# The parser never gives memory back, so after a frame beyond this size it is replaced by a new one.
_LARGE_FRAME_BYTES = 256 * 1024
# Longer frames than this a server's picows passes to the transport by reference, together with a header in memory that
# its next frame overwrites: what the transport has to queue would be corrupted.  A client's copies all frames, into a
# buffer that it never gives back.  So longer ones are assembled here instead.
_COPIED_FRAME_BYTES = 8192
# What picows needs in front of a payload to put a header there.
_HEADER_ROOM = 14


class Receiver(Protocol):
    """Whoever takes what the frames say."""

    def receive_message(self, data: bytes) -> None:
        """Take a whole text message."""
        ...

    def receive_ping(self, payload: bytes) -> None:
        """Take a ping, which is to be answered."""
        ...

    def receive_close(self, code: int, reason: str) -> None:
        """Take the peer's close; `code` is 0 when it gave none."""
        ...

    def receive_fault(self, code: int, reason: str) -> None:
        """Learn that the peer broke a rule; its frames can still be told apart."""
        ...


class Framing:
    """Both directions of one connection."""

    def __init__(
        self, transport: asyncio.Transport, max_bytes: int, receiver: Receiver, *, is_client: bool = False
    ) -> None:
        """Frame what goes through `transport`.

        Args:
            transport: an upgraded connection.
            max_bytes: the longest message that is taken; a longer one is refused when its length is known.
            receiver: told of everything that comes.
            is_client: whether this is the end that masks its frames.
        """
        self._transport = transport
        self._max_bytes = max_bytes
        self._is_client = is_client
        self._log = _ParserLog()
        self.frames = _Frames(max_bytes, receiver)
        self._parser = self._new_parser()

    def get_buffer(self) -> Any:
        """Return where the transport is to put what it receives."""
        return self._parser.get_buffer(-1)

    def received(self, n_bytes: int) -> None:
        """Read `n_bytes` that were put into the buffer."""
        self._parser.buffer_updated(n_bytes)
        if self.frames.left_large_buffer:
            self.frames.left_large_buffer = False
            self._parser = self._new_parser()

    @property
    def has_failed(self) -> bool:
        """Whether nothing that comes can be read any more, because of the peer or of the receiver."""
        return self._log.has_failed

    @property
    def sent_close(self) -> tuple[int, str]:
        """The code and reason of the close that was sent, by `send_close` or because of a failure."""
        sent = self._parser.transport.close_handshake.sent
        return int(sent.code), sent.reason

    def send_text(self, data: bytes) -> None:
        """Send a message of UTF-8."""
        if len(data) <= _COPIED_FRAME_BYTES:
            self._parser.transport.send(_TEXT, data)
        else:
            frame = bytearray(_HEADER_ROOM)
            frame += data
            self._parser.transport.send_reuse_external_bytearray(_TEXT, frame, _HEADER_ROOM)

    def send_ping(self) -> None:
        """Ask for a sign of life."""
        self._parser.transport.send_ping()

    def send_pong(self, payload: bytes) -> None:
        """Answer a ping."""
        self._parser.transport.send_pong(payload)

    def send_close(self, code: int, reason: bytes) -> None:
        """Send the last frame; whatever is sent after it is dropped."""
        self._parser.transport.send_close(code, reason)

    def release(self) -> None:
        """Give up the parser and the receiver, which refer back to here, so that nothing waits for the collector."""
        del self._parser, self._transport
        self.frames.release()

    def _new_parser(self) -> Any:
        spigot = _Spigot(self._transport)
        frames = self.frames
        parser = WSProtocol(
            "-", None, self._is_client, lambda *_http: frames, self._log, True, None,
            False, 20, 20, WSAutoPingStrategy.PING_PERIODICALLY, False,
            self._max_bytes, None, _READ_BUFFER_BYTES,
        )  # fmt: skip
        parser.connection_made(spigot)
        upgrade = _answer_to(bytes(spigot.said)) if self._is_client else _REQUEST
        parser.get_buffer(-1)[: len(upgrade)] = upgrade
        parser.buffer_updated(len(upgrade))
        spigot.said.clear()
        return parser


class _Frames(WSListener):
    """What the parser tells: frames in, messages out."""

    def __init__(self, max_bytes: int, receiver: Receiver) -> None:
        super().__init__()
        self._max_bytes = max_bytes
        self._receiver = receiver
        self._fragments: bytearray | None = None
        self._is_large = False
        self.left_large_buffer = False
        """Whether the parser's buffer has grown large and holds nothing just now."""
        self.frame_count = 0
        """Frames so far, of any kind."""
        self.message_count = 0
        """Whole messages so far."""

    def release(self) -> None:
        """Let go of the receiver; no frame comes any more."""
        del self._receiver

    @property
    def is_midway(self) -> bool:
        """Whether some fragments of a message are here and others not."""
        return self._fragments is not None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame."""
        self.frame_count += 1
        kind = frame.msg_type
        if frame.payload_size > _LARGE_FRAME_BYTES:
            self._is_large = True
        if self._is_large and not frame.tail_size:
            self._is_large = False
            self.left_large_buffer = True
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._receiver.receive_fault(1002, "reserved bits are set, but no extension was agreed on")
        elif kind == _TEXT and frame.fin and self._fragments is None:
            self._receive_text(frame.get_payload_as_bytes())
        elif kind in _DATA:
            self._receive_fragment(kind == _TEXT, frame)
        elif kind == _PING:
            self._receiver.receive_ping(frame.get_payload_as_bytes())
        elif kind == _BINARY:
            self._receiver.receive_fault(1003, "binary messages are not part of the Realtime protocol")
        elif kind != _PONG:
            payload = frame.get_payload_as_bytes()
            self._receiver.receive_close(int.from_bytes(payload[:2]), payload[2:].decode())

    def _receive_fragment(self, is_first: bool, frame: WSFrame) -> None:
        if is_first == (self._fragments is not None):
            text = "a message began inside another" if is_first else "a continuation of no message"
            self._receiver.receive_fault(1002, text)
            return
        fragments = bytearray() if self._fragments is None else self._fragments
        if len(fragments) + frame.payload_size > self._max_bytes:
            self._fragments = None
            self._receiver.receive_fault(1009, f"a message is longer than {self._max_bytes} bytes")
            return
        fragments += frame.get_payload_as_memoryview()
        self._fragments = None if frame.fin else fragments
        if frame.fin:
            self._receive_text(bytes(fragments))

    def _receive_text(self, data: bytes) -> None:
        self.message_count += 1
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                self._receiver.receive_fault(1007, "a message is not UTF-8")
                return
        self._receiver.receive_message(data)


class _Spigot:
    """The transport as the parser sees it: something to write to, never to close."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._write: Callable[[bytes], None] | None = transport.write
        self.said = bytearray()
        """What the parser had to say about its upgrade."""
        self.writelines = transport.writelines
        self.get_write_buffer_size = transport.get_write_buffer_size
        self._info = transport.get_extra_info

    @property
    def write(self) -> Callable[[bytes], None]:
        """At first the transport's own, which the parser keeps for its frames; later one for what it says of HTTP."""
        write, self._write = self._write, None
        return write or self.said.extend

    def get_extra_info(self, name: str) -> Any:
        """Return what is known of the transport; its socket, which need not be TCP, is the leg's to tune."""
        info = self._info(name)
        return _Untuned(info) if name == "socket" else info

    def close(self) -> None:
        """Leave it to the leg, which lets the peer read the close frame first."""

    def abort(self) -> None:
        """Leave it to the leg."""


class _Untuned:
    """A socket whose options stay as they are."""

    def __init__(self, connection: Any) -> None:
        self.fileno = connection.fileno

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Change nothing."""

    def getsockopt(self, level: int, option: int) -> int:
        """Return what only a log would show."""
        return 0


class _ParserLog:
    """Where the parser tells that it gives up; what it says of clients is the leg's to log."""

    def __init__(self) -> None:
        self.has_failed = False

    def isEnabledFor(self, level: int) -> bool:
        """Say that nothing is logged for debugging."""
        return False

    def debug(self, *args: object) -> None:
        """Drop it."""

    info = warning = log = debug

    def error(self, *args: object) -> None:
        """Note that the peer's bytes are no frames."""
        self.has_failed = True

    def exception(self, *args: object) -> None:
        """Log a failure on our own side with its traceback, and note it."""
        self.has_failed = True
        log.exception("a message could not be handled")


def accept_of(key: bytes) -> bytes:
    """Return the `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (RFC 6455 section 4.2.2)."""
    return b64encode(hashlib.sha1(key + _ACCEPT_SUFFIX, usedforsecurity=False).digest())


def _answer_to(request: bytes) -> bytes:
    """Return the answer that has a client's parser go on to frames."""
    found = re.search(rb"(?i)sec-websocket-key: (\S+)", request)
    assert found is not None, "picows asks for no upgrade any more"
    return _ANSWER % accept_of(found[1])
