"""The names of aiortc that are used although they are private, and how its SCTP is driven."""

from __future__ import annotations

import asyncio
import inspect

import aiortc
import pytest
from aiortc.rtcsctptransport import RTCSctpTransport

from vivavoce.legs.webrtc import borrowed
from vivavoce.legs.webrtc.borrowed import PRIVATE, Association, Identity, Wire


def test_the_aiortc_that_is_installed_is_the_one_whose_private_names_are_known() -> None:
    assert aiortc.__version__.startswith("1.16.")


async def test_every_private_name_is_listed_and_there() -> None:
    source = inspect.getsource(borrowed)
    made = {
        "RTCCertificate": aiortc.RTCCertificate,
        "RTCSctpTransport": aiortc.RTCSctpTransport(Wire(lambda data: None, is_server=True)),  # type: ignore[arg-type]
    }
    for owner, names in PRIVATE.items():
        for name in names:
            assert hasattr(made[owner], name), f"{owner}.{name}"
            assert f".{name}" in source, f"{name} is used no more"


def test_what_sctp_asks_of_its_transport_is_all_that_a_wire_has() -> None:
    """A newer aiortc that calls something else of its transport would find it missing during a call."""
    source = inspect.getsource(RTCSctpTransport)
    asked = {part.split("(")[0].split()[0].rstrip(",.:)") for part in source.split("__transport.")[1:]}
    asked |= {part.split("(")[0].split()[0].rstrip(",.:)") for part in source.split("self.transport.")[1:]}
    asked |= {part.split("(")[0].split()[0].rstrip(",.:)") for part in source.split(" transport.")[1:]}
    asked = {name for name in asked if name.isidentifier()}
    assert asked <= {name for name in dir(Wire(print, is_server=True)) if not name.startswith("__")}
    assert "_send_data" in asked


def test_the_fingerprint_is_that_of_a_sha_256() -> None:
    parts = Identity().fingerprint.split(":")
    assert len(parts) == 32
    assert all(len(part) == 2 and int(part, 16) < 256 for part in parts)


async def test_two_associations_open_a_channel_and_carry_messages_without_a_task_of_their_own() -> None:
    there: list[bytes] = []
    here: list[bytes] = []
    opened: list[borrowed.Channel] = []
    one = Association(there.append, opened.append, is_server=True, remote_port=5000, max_message_bytes=0)
    two = Association(here.append, opened.append, is_server=False, remote_port=5000, max_message_bytes=0)
    channel = aiortc.RTCDataChannel(two._sctp, aiortc.RTCDataChannelParameters(label="oai-events"))
    got: list[str] = []

    async def carry() -> None:
        for _ in range(50):
            while there:
                two.receive(there.pop(0))
            while here:
                one.receive(here.pop(0))
            await asyncio.sleep(0)

    await carry()
    assert [each.label for each in opened] == ["oai-events"]
    opened[0].on("message", got.append)
    channel.send("x" * 100_000)
    await carry()
    assert got == ["x" * 100_000]
    assert one.held_bytes == 0
    two.close()
    await carry()
    assert one.is_closed
    one.close()


async def test_a_coroutine_that_would_wait_is_not_run() -> None:
    async def waits() -> None:
        await asyncio.sleep(1)

    with pytest.raises(RuntimeError, match="waited"):
        borrowed._run(waits())
