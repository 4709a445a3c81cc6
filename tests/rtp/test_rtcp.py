from struct import error

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.rtp.rtcp import (
    Block,
    Description,
    Goodbye,
    Nack,
    PictureLoss,
    ReceiverReport,
    SenderReport,
    build,
    parse,
)

u8, u16, u32, u64 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32, 64))
blocks = st.lists(
    st.builds(Block, u32, u8, st.integers(-(1 << 23), (1 << 23) - 1), u32, u32, u32, u32), max_size=3
).map(tuple)
texts = st.text(max_size=60).filter(lambda text: "\0" not in text)
nacks = st.builds(
    lambda ssrc, media, first, steps: Nack(
        ssrc, media, tuple((first + sum(steps[:n])) & 0xFFFF for n in range(len(steps)))
    ),
    u32,
    u32,
    u16,
    st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
reports = st.one_of(
    st.builds(SenderReport, u32, u64, u32, u32, u32, blocks),
    st.builds(ReceiverReport, u32, blocks),
    st.builds(Description, u32, texts),
    st.builds(Goodbye, st.lists(u32, min_size=1, max_size=31).map(tuple), texts),
    nacks,
    st.builds(PictureLoss, u32, u32),
)


@given(st.lists(reports, min_size=1, max_size=5))
def test_what_is_built_is_read_again(sent):
    data = build(sent)
    assert len(data) % 4 == 0
    assert parse(data) == tuple(sent)


@given(st.binary(max_size=100), st.integers(199, 207), st.integers(0, 31))
def test_no_bytes_whatever_are_anything_but_reports_or_none(body, kind, count):
    data = bytes([0x80 | count, kind]) + (len(body) // 4).to_bytes(2, "big") + body
    assert parse(body) is None or isinstance(parse(body), tuple)
    assert parse(data) is None or isinstance(parse(data), tuple)


@given(reports, st.data())
def test_a_report_that_is_cut_short_is_none(report, data):
    whole = build([report])
    assert parse(whole[: data.draw(st.integers(0, len(whole) - 1))]) is None


def test_kinds_nobody_needs_are_passed_over():
    application = b"\x80\xcc\x00\x02\x00\x00\x00\x01abcd"
    extended = b"\x80\xcf\x00\x01\x00\x00\x00\x01"
    remb = b"\x8f\xce\x00\x03" + bytes(12)
    goodbye = build([Goodbye((5,), "done")])
    assert parse(application + extended + remb + goodbye) == (Goodbye((5,), "done"),)


def test_padding_stands_at_the_end_alone():
    goodbye = build([Goodbye((5,))])
    padded = bytes([goodbye[0] | 0x20]) + b"\xcb\x00\x02" + goodbye[4:] + b"\0\0\0\x04"
    assert parse(padded) == (Goodbye((5,)),)
    assert parse(padded + goodbye) is None
    assert parse(padded[:-1] + b"\x00") is None
    assert parse(padded[:-1] + b"\x0d") is None


def test_names_beside_other_items_and_in_several_chunks_are_found():
    chunk = b"\x00\x00\x00\x01" + b"\x02\x03bob" + b"\x01\x02me" + b"\x00\x00\x00"
    second = b"\x00\x00\x00\x02" + b"\x01\x01x" + b"\x00"
    assert parse(b"\x82\xca\x00\x06" + chunk + second) == (Description(1, "me"), Description(2, "x"))


def test_what_has_no_place_is_refused():
    with pytest.raises(ValueError, match="31 parts"):
        build([ReceiverReport(1, (Block(1, 0, 0, 0, 0, 0, 0),) * 32)])
    with pytest.raises(error):
        build([PictureLoss(1, 1 << 32)])
    assert parse(build([ReceiverReport(1, (Block(1, 0, 10**9, 0, 0, 0, 0),))]))[0].blocks[0].lost == 0x7F_FFFF


def test_a_datagram_of_nothing_is_none():
    assert parse(b"") is None
