"""The data channel of one call: Realtime messages as text, in order, with a bound on what waits.

A page opens it before or after its offer, or opens several: the one that is called `oai-events` counts, or else the
first.  What is sent before it is open waits for it, unless it is much.  Called by `peer`, which carries the packets.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from .borrowed import Association, Channel

__all__ = ["WAITING_BYTES", "ChannelError", "DataChannel", "DataChannelOwner"]

LABEL = "oai-events"
"""What pages call the channel that counts."""
_HIGH_WATER_BYTES = 1 << 20
"""What may wait before whoever sends is asked to wait: some seconds of a slow line."""
WAITING_BYTES = 192 * 1024
"""What is kept for a party that has no channel, the latest of it: it may never open one, and need not to talk."""
_MOST_CHANNELS = 16
_REASSEMBLY_BYTES = 1 << 16
"""Beyond the longest message, what may come out of order."""


class ChannelError(Exception):
    """The party asks for more than it may have, or takes nothing in."""


class DataChannelOwner(Protocol):
    """Whoever the messages are for."""

    def receive_frame(self, data: bytes) -> None:
        """Take one whole message, valid UTF-8."""
        ...

    def channel_opened(self) -> None:
        """Learn that what is sent goes out at once from now on."""
        ...


class DataChannel:
    """Messages to and from one party."""

    def __init__(self, owner: DataChannelOwner, max_message_bytes: int, max_queued_bytes: int) -> None:
        """Wait for a channel; `max_message_bytes` bounds what comes, `max_queued_bytes` what waits to go."""
        self._owner: DataChannelOwner | None = owner
        self._max_message_bytes = max_message_bytes
        self._max_queued_bytes = max_queued_bytes
        self._association: Association | None = None
        self._channel: Channel | None = None
        self._has_received = False
        self._seen = 0
        self._has_opened = False
        self._received_now: deque[bytes] = deque()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._low = asyncio.Event()

    def connect(
        self, send: Callable[[bytes], None], *, is_server: bool, remote_port: int, remote_max_message_bytes: int
    ) -> None:
        """Begin SCTP over a secured connection; channels are opened by the party."""
        self._association = Association(
            send,
            self._opened,
            is_server=is_server,
            remote_port=remote_port,
            max_message_bytes=remote_max_message_bytes,
        )

    @property
    def queued_bytes(self) -> int:
        """How much was sent but not taken by the network yet."""
        return self._waiting_bytes + (0 if self._channel is None else self._channel.bufferedAmount)

    def send(self, data: bytes) -> None:
        """Send a message as soon as there is a channel.

        Raises:
            ChannelError: more waits than may.
        """
        if self._owner is None:
            return
        if self.queued_bytes + len(data) > self._max_queued_bytes:
            raise ChannelError("the party is too slow in taking what it is sent")
        if self._channel is not None and self._channel.readyState == "open" and not self._waiting:
            self._channel.send(data.decode())
        else:
            self._waiting.append(data)
            self._waiting_bytes += len(data)
            while self._waiting_bytes > WAITING_BYTES and len(self._waiting) > 1:
                self._waiting_bytes -= len(self._waiting.popleft())
        self._low.clear()

    async def drain(self) -> None:
        """Return when little enough waits, or when the channel is closed."""
        while self._owner is not None and self.queued_bytes > _HIGH_WATER_BYTES:
            self._low.clear()
            await self._low.wait()

    def receive(self, data: bytes) -> None:
        """Take a decrypted packet.

        Raises:
            ChannelError: a message is too long, there are too many channels, or the party breaks the protocol.
        """
        association = self._association
        if association is None:
            return
        try:
            association.receive(data)
        except ChannelError:
            raise
        except Exception as error:
            raise ChannelError(f"the party breaks the protocol of data channels: {error!r}") from error
        self._give()
        if association.held_bytes > self._max_message_bytes + _REASSEMBLY_BYTES:
            raise ChannelError(f"a message is longer than {self._max_message_bytes} bytes")

    def close(self) -> None:
        """End it; what waits is dropped."""
        self._owner = None
        self._channel = None
        self._waiting.clear()
        self._waiting_bytes = 0
        self._low.set()
        association, self._association = self._association, None
        if association is not None:
            association.close()

    def _opened(self, channel: Channel) -> None:
        self._seen += 1
        if self._seen > _MOST_CHANNELS:
            raise ChannelError(f"the party opened more than {_MOST_CHANNELS} data channels")
        if self._owner is None or not self._is_better(channel):
            return
        if self._channel is not None:
            self._channel.remove_all_listeners()
        self._channel = channel
        channel.bufferedAmountLowThreshold = _HIGH_WATER_BYTES // 2
        channel.on("message", self._received)
        channel.on("bufferedamountlow", self._low.set)
        channel.on("close", self._closed)
        self._has_opened = True
        while self._waiting:
            channel.send(self._waiting.popleft().decode())
        self._waiting_bytes = 0

    def _is_better(self, channel: Channel) -> bool:
        """Return whether a channel takes the place of the one there is, if any."""
        return self._channel is None or (
            channel.label == LABEL and self._channel.label != LABEL and not self._has_received
        )

    def _received(self, message: str | bytes) -> None:
        data = message.encode() if isinstance(message, str) else message
        if len(data) > self._max_message_bytes:
            raise ChannelError(f"a message is longer than {self._max_message_bytes} bytes")
        self._has_received = True
        self._received_now.append(data)

    def _give(self) -> None:
        """Tell the owner what has come, so that its mistakes are not taken for the party's."""
        if self._has_opened and self._owner is not None:
            self._has_opened = False
            self._owner.channel_opened()
        while self._received_now and self._owner is not None:
            self._owner.receive_frame(self._received_now.popleft())

    def _closed(self) -> None:
        """Wait for another channel; what is sent meanwhile waits too."""
        self._channel = None
        self._low.set()
