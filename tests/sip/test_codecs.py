"""Codecs as session descriptions name them."""

from __future__ import annotations

from vivavoce.sip.codecs import G722, OPUS, PCMA, PCMU, Format, Keys, formats_of, keys_of
from vivavoce.sip.sdp import MediaSection


def section(formats: str, *attributes: tuple[str, str]) -> MediaSection:
    return MediaSection("audio", 4000, "RTP/AVP", tuple(formats.split()), None, attributes)


def test_static_payload_types_need_no_names() -> None:
    assert [item.codec for item in formats_of(section("9 8 0 3 18"))] == [G722, PCMA, PCMU]


def test_payload_types_mean_what_is_said_of_them() -> None:
    found = formats_of(
        section(
            "111 9 0 120 x",
            ("rtpmap", "111 OPUS/48000/2"),
            ("fmtp", "111 minptime=10; useinbandfec=1;"),
            ("rtpmap", "9 G722/16000"),
            ("rtpmap", "0 PCMA/8000/1"),
            ("rtpmap", "120 PCMU/16000"),
            ("rtpmap", "rubbish"),
        )
    )
    assert found == (
        Format(111, OPUS, (("minptime", "10"), ("useinbandfec", "1"))),
        Format(9, G722),
        Format(0, PCMA),
    )


def test_keys_are_those_with_the_clock_of_the_audio() -> None:
    both = section("0 101 102", ("rtpmap", "101 telephone-event/48000"), ("rtpmap", "102 telephone-event/8000"))
    assert keys_of(both, 8000) == Keys(102, 8000)
    assert keys_of(both, 48_000) == Keys(101, 48_000)
    assert keys_of(both, 16_000) == Keys(101, 48_000)
    assert keys_of(section("0"), 8000) is None


def test_each_codec_says_what_it_is() -> None:
    assert [codec.rtpmap for codec in (OPUS, G722, PCMU, PCMA)] == [
        "opus/48000/2", "G722/8000", "PCMU/8000", "PCMA/8000",
    ]  # fmt: skip
