"""Handshakes in memory, and what comes of them."""

from __future__ import annotations

import functools

import pytest

from vivavoce.legs.webrtc.borrowed import Identity
from vivavoce.legs.webrtc.dtls import Dtls, DtlsError
from vivavoce.legs.webrtc.offer import Fingerprint

RTP = b"\x80\x6f\0\1\0\0\0\1\0\0\0\7" + bytes(60)
RTCP = b"\x80\xc9\0\1\0\0\0\7"


@functools.cache
def identities() -> tuple[Identity, Identity]:
    return Identity(), Identity()


class Pair:
    """Two ends, and the datagrams between them."""

    def __init__(self, expected: str = "") -> None:
        one, two = identities()
        self.to_server: list[bytes] = []
        self.to_client: list[bytes] = []
        mine = (Fingerprint("sha-256", expected or two.fingerprint),)
        self.client = Dtls(one, mine, self.to_server.append, is_server=False)
        self.server = Dtls(two, (Fingerprint("sha-256", one.fingerprint),), self.to_client.append, is_server=True)

    def shake(self) -> None:
        self.server.start(0.0)
        self.client.start(0.0)
        while self.to_server or self.to_client:
            if self.to_server:
                self.server.receive(self.to_server.pop(0), 0.0)
            if self.to_client:
                self.client.receive(self.to_client.pop(0), 0.0)


def connected() -> Pair:
    pair = Pair()
    pair.shake()
    return pair


def test_both_ends_have_the_same_keys() -> None:
    pair = connected()
    assert pair.client.srtp is not None
    assert pair.server.srtp is not None
    for sender, receiver in ((pair.client.srtp, pair.server.srtp), (pair.server.srtp, pair.client.srtp)):
        assert receiver.unprotect(sender.protect(RTP)) == RTP
        assert receiver.unprotect_rtcp(sender.protect_rtcp(RTCP)) == RTCP


def test_forged_and_repeated_packets_are_nothing() -> None:
    pair = connected()
    assert pair.client.srtp is not None
    assert pair.server.srtp is not None
    packet = pair.client.srtp.protect(RTP)
    assert pair.server.srtp.unprotect(packet[:-1] + bytes([packet[-1] ^ 1])) is None
    assert pair.server.srtp.unprotect(packet) == RTP
    assert pair.server.srtp.unprotect(packet) is None
    assert pair.server.srtp.unprotect(bytes(2000)) is None
    assert pair.server.srtp.unprotect_rtcp(pair.client.srtp.protect_rtcp(RTCP)[:-1]) is None


def test_a_party_has_only_so_many_streams() -> None:
    pair = connected()
    assert pair.client.srtp is not None
    assert pair.server.srtp is not None
    heard = [pair.server.srtp.unprotect(pair.client.srtp.protect(RTP[:11] + bytes([n]) + RTP[12:])) for n in range(40)]
    assert sum(each is not None for each in heard) == 16


def test_messages_pass_both_ways() -> None:
    pair = connected()
    pair.client.send(b"one")
    pair.client.send(b"two")
    messages = [message for data in pair.to_server for message in pair.server.receive(data, 0.0)]
    assert messages == [b"one", b"two"]


def test_no_datagram_is_larger_than_what_passes_everywhere() -> None:
    pair = Pair()
    sizes = []
    pair.client._send = lambda data: (sizes.append(len(data)), pair.to_server.append(data))[0]
    pair.server._send = lambda data: (sizes.append(len(data)), pair.to_client.append(data))[0]
    pair.shake()
    assert max(sizes) <= 1200
    assert pair.client.srtp is not None


def test_another_certificate_than_the_expected_one_is_refused() -> None:
    pair = Pair(expected=":".join(["00"] * 32))
    with pytest.raises(DtlsError, match="not the one of its offer"):
        pair.shake()
    assert pair.client.srtp is None


def test_the_end_is_told() -> None:
    pair = connected()
    pair.client.close()
    with pytest.raises(DtlsError, match="has ended the connection"):
        pair.server.receive(pair.to_server.pop(0), 0.0)
    pair.client.send(b"after the end")
    assert pair.to_server == []


def test_an_end_before_the_beginning_is_no_error() -> None:
    Pair().client.close()


def test_nonsense_is_dropped_once_the_connection_stands() -> None:
    pair = connected()
    assert pair.server.receive(b"\x17\xfe\xfd" + bytes(40), 0.0) == []
    pair.client.send(b"still here")
    assert pair.server.receive(pair.to_server.pop(0), 0.0) == [b"still here"]
