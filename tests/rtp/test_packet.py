from struct import error, pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.rtp.packet import HEADER_BYTES, Packet, build, header, is_rtcp, is_rtp, parse, signed_16, signed_32

packets = st.builds(
    Packet,
    payload_type=st.integers(0, 127),
    marker=st.booleans(),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFF_FFFF),
    ssrc=st.integers(0, 0xFFFF_FFFF),
    payload=st.binary(max_size=200),
)


@given(packets)
def test_what_is_built_is_read_again(packet):
    assert parse(build(packet)) == packet
    assert len(build(packet)) == HEADER_BYTES + len(packet.payload)


@given(
    packets,
    st.lists(st.integers(0, 0xFFFF_FFFF), max_size=15),
    st.none() | st.lists(st.integers(0, 0xFFFF_FFFF), max_size=9),
    st.integers(0, 255),
)
def test_contributors_extension_and_padding_are_left_out(packet, contributors, extension, padding):
    data = bytearray(build(packet))
    extra = pack(f"!{len(contributors)}I", *contributors)
    data[0] |= len(contributors)
    if extension is not None:
        data[0] |= 0x10
        extra += pack(f"!HH{len(extension)}I", 0xBEDE, len(extension), *extension)
    if padding:
        data[0] |= 0x20
    tail = bytes(padding - 1) + bytes([padding]) if padding else b""
    assert parse(bytes(data[:12]) + extra + packet.payload + tail) == packet


@given(st.binary(max_size=80))
def test_no_bytes_whatever_are_anything_but_a_packet_or_none(data):
    for first in (0x80, 0xA0, 0x90, 0xBF, 0xB0):
        packet = parse(bytes([first]) + data)
        assert packet is None or len(packet.payload) <= len(data) - 11


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes([0x80]) * 11,
        b"\x00" + bytes(20),  # a STUN message
        b"\x40" + bytes(20),  # version 1
        b"\x8f" + bytes(20),  # fifteen contributors, of which one and a half are there
        b"\x90" + bytes(11),  # an extension without its head
        b"\x90" + bytes(11) + b"\xbe\xde\x00\x02" + bytes(4),  # one that is cut short
        b"\xa0" + bytes(11),  # padding, without a byte for its length that is not in the header
        b"\xa0" + bytes(20),  # padding of no bytes
        b"\xa0" + bytes(11) + b"abc\x05",  # more padding than payload
    ],
)
def test_what_contradicts_itself_is_no_packet(data):
    assert parse(data) is None


def test_media_and_reports_on_one_port_are_told_apart():
    audio, report = header(111, True, 1, 2, 3), b"\x80\xc8" + bytes(6)
    assert [is_rtp(audio), is_rtcp(audio), is_rtp(report), is_rtcp(report)] == [True, False, True, True]
    assert [is_rtp(b"\x00\x01" + bytes(18)), is_rtp(b"\x16\xfe\xfd" + bytes(20)), is_rtcp(b"\x80\xc8")] == [False] * 3


def test_a_header_wraps_its_numbers_and_refuses_what_has_no_place():
    assert header(0, False, 0x1_0001, 0x1_0000_0002, 3) == header(0, False, 1, 2, 3)
    for payload_type, ssrc in ((256, 1), (0, 1 << 32), (0, -1)):
        with pytest.raises(error):
            header(payload_type, False, 0, 0, ssrc)


def test_differences_are_the_shorter_way_round():
    assert [signed_16(n) for n in (0, 1, -1, 0x7FFF, 0x8000, 0xFFFF, -0xFFFF)] == [0, 1, -1, 32767, -32768, -1, 1]
    assert [signed_32(n) for n in (1, 0x8000_0000, 0xFFFF_FFFF, -0xFFFF_FFFF)] == [1, -(1 << 31), -1, 1]
