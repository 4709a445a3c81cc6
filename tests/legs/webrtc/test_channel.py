"""The data channel, between two ends in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import aiortc
import pytest

from browsers import Owner
from vivavoce.legs.webrtc.borrowed import Association
from vivavoce.legs.webrtc.channel import WAITING_BYTES, ChannelError, DataChannel


class Ends:
    """A channel of ours, and the association of a party."""

    def __init__(self, *, max_message_bytes: int = 1000, max_queued_bytes: int = 1 << 22) -> None:
        self.owner = Owner()
        self.to_us: list[bytes] = []
        self.to_party: list[bytes] = []
        self.channel = DataChannel(self.owner, max_message_bytes, max_queued_bytes)

    def connect(self) -> None:
        self.channel.connect(self.to_party.append, is_server=False, remote_port=5000, remote_max_message_bytes=100_000)
        self.party = Association(
            self.to_us.append, lambda channel: None, is_server=True, remote_port=5000, max_message_bytes=0
        )

    def open(self, label: str) -> tuple[Any, list[str]]:
        channel = aiortc.RTCDataChannel(self.party._sctp, aiortc.RTCDataChannelParameters(label=label))
        messages: list[str] = []
        channel.on("message", messages.append)
        return channel, messages

    async def carry(self, rounds: int = 60) -> None:
        for _ in range(rounds):
            while self.to_us:
                self.channel.receive(self.to_us.pop(0))
            while self.to_party:
                self.party.receive(self.to_party.pop(0))
            await asyncio.sleep(0)


async def test_what_was_sent_before_there_is_a_channel_comes_first() -> None:
    ends = Ends()
    ends.channel.send(b"one")
    ends.connect()
    ends.channel.send(b"two")
    assert ends.channel.queued_bytes == 6
    _, messages = ends.open("oai-events")
    await ends.carry()
    ends.channel.send("drei \u00fc".encode())
    await ends.carry()
    assert messages == ["one", "two", "drei \u00fc"]
    assert (ends.owner.told, ends.channel.queued_bytes) == ([("opened", "")], 0)


async def test_messages_of_bytes_count_like_those_of_text() -> None:
    ends = Ends()
    ends.connect()
    channel, _ = ends.open("oai-events")
    await ends.carry()
    channel.send(b'{"type":"a"}')
    channel.send('{"type":"b"}')
    await ends.carry()
    assert ends.owner.frames == [b'{"type":"a"}', b'{"type":"b"}']


async def test_a_channel_that_was_used_keeps_its_place() -> None:
    ends = Ends()
    ends.connect()
    first, heard = ends.open("mine")
    await ends.carry()
    first.send("hello")
    await ends.carry()
    ends.open("oai-events")
    await ends.carry()
    ends.channel.send(b"reply")
    await ends.carry()
    assert heard == ["reply"]


async def test_whoever_sends_waits_while_much_is_queued() -> None:
    ends = Ends()
    ends.connect()
    _, messages = ends.open("oai-events")
    await ends.carry()
    for _ in range(30):
        ends.channel.send(b"x" * 50_000)
    waiting = asyncio.ensure_future(ends.channel.drain())
    await asyncio.sleep(0)
    assert not waiting.done()
    await ends.carry(2000)
    assert waiting.done()
    assert len(messages) == 30


async def test_more_than_may_wait_is_refused() -> None:
    ends = Ends(max_queued_bytes=100)
    ends.channel.send(b"x" * 100)
    with pytest.raises(ChannelError, match="too slow"):
        ends.channel.send(b"y")


async def test_a_party_without_a_channel_holds_nothing_up_and_finds_the_latest_when_it_opens_one() -> None:
    ends = Ends()
    ends.connect()
    for number in range(300):
        ends.channel.send(b"%03d" % number + b"x" * 20_000)
    await asyncio.wait_for(ends.channel.drain(), 1)
    assert ends.channel.queued_bytes <= WAITING_BYTES
    channel, messages = ends.open("oai-events")
    await ends.carry(2000)
    assert [message[:3] for message in messages] == [f"{number:03d}" for number in range(300 - len(messages), 300)]
    assert len(messages) == WAITING_BYTES // 20_003
    channel.close()
    await ends.carry()
    for _ in range(300):
        ends.channel.send(b"x" * 20_000)
    await asyncio.wait_for(ends.channel.drain(), 1)


async def test_long_messages_and_many_channels_are_refused() -> None:
    ends = Ends(max_message_bytes=10)
    ends.connect()
    channel, _ = ends.open("oai-events")
    await ends.carry()
    channel.send("x" * 11)
    with pytest.raises(ChannelError, match="longer than 10 bytes"):
        await ends.carry()
    ends = Ends()
    ends.connect()
    for number in range(17):
        ends.open(f"channel {number}")
    with pytest.raises(ChannelError, match="more than 16"):
        await ends.carry()


async def test_a_message_that_never_ends_is_refused() -> None:
    ends = Ends(max_message_bytes=10)
    ends.connect()
    channel, _ = ends.open("oai-events")
    await ends.carry()
    channel.send("x" * 300_000)
    with pytest.raises(ChannelError, match="longer than 10 bytes"):
        await ends.carry(2000)
    assert ends.owner.frames == []


async def test_nonsense_is_the_partys_mistake() -> None:
    ends = Ends()
    ends.connect()
    ends.open("oai-events")
    await ends.carry()
    # A second opening of a channel that is open is what aiortc asserts never to come.
    await ends.party._sctp._send(1, 50, bytes([3]) + bytes(11))
    with pytest.raises(ChannelError, match="breaks the protocol"):
        await ends.carry()


async def test_after_the_end_nothing_is_sent_or_waited_for() -> None:
    ends = Ends()
    ends.connect()
    ends.open("oai-events")
    await ends.carry()
    ends.channel.close()
    ends.channel.send(b"x")
    await ends.channel.drain()
    await ends.carry()
    assert (ends.channel.queued_bytes, ends.party.is_closed) == (0, True)
    ends.channel.close()
