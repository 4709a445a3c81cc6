"""Session descriptions: what telephones write, odd ones included, and what is no description."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.sip.errors import MalformedMessage, UnwritableMessage
from vivavoce.sip.sdp import Description, MediaSection, Origin, parse_description

HEAD = "v=0\r\no=a 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"

WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=8)
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=12)
ATTRIBUTES = st.lists(st.tuples(WORDS, VALUES), max_size=4).map(tuple)
ADDRESSES = st.sampled_from(["192.0.2.1", "2001:db8::1", "host.example.com", "0.0.0.0"])
SECTIONS = st.builds(
    MediaSection,
    WORDS,
    st.integers(0, 65535),
    st.sampled_from(["RTP/AVP", "RTP/SAVP", "UDPTL"]),
    st.lists(WORDS, min_size=1, max_size=4).map(tuple),
    st.none() | ADDRESSES,
    ATTRIBUTES,
)
DESCRIPTIONS = st.builds(
    Description,
    st.builds(Origin, WORDS, WORDS, WORDS, ADDRESSES),
    st.lists(SECTIONS, max_size=3).map(tuple),
    st.none() | ADDRESSES,
    ATTRIBUTES,
)


@given(DESCRIPTIONS)
def test_a_description_reads_as_it_was_written(description: Description) -> None:
    assert parse_description(bytes(description)) == description


def test_sections_own_what_follows_them() -> None:
    text = (
        HEAD + "a=sendonly\r\nm=audio 4000/2 RTP/AVP 0 96\r\nc=IN IP6 2001:DB8::1\r\na=RTPMAP: 96  opus/48000/2 \r\n"
        "a=rtpmap:96 second/8000\r\na=ptime:20\r\nm=video 0 rtp/avp 31\r\na=inactive\r\n"
    )
    description = parse_description(text.encode())
    assert description.origin == Origin("1", "2", "a", "192.0.2.1")
    assert (description.connection, description.attributes) == ("192.0.2.1", (("sendonly", ""),))
    audio, video = description.media
    assert (audio.port, audio.connection, audio.formats) == (4000, "2001:db8::1", ("0", "96"))
    assert audio.by_format("rtpmap") == {"96": "opus/48000/2"}
    assert (audio.get("ptime"), audio.get("maxptime"), video.get("inactive")) == ("20", None, "")
    assert (video.kind, video.port, video.protocol) == ("video", 0, "RTP/AVP")
    assert audio.refused() == MediaSection("audio", 0, "RTP/AVP", ("0", "96"))


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("tail", ["", "\r\n", "\r\n\r\n"])
def test_line_ends_may_be_odd(line_end: str, tail: str) -> None:
    plain = HEAD + "m=audio 4000 RTP/AVP 0\r\na=sendrecv"
    odd = plain.replace("\r\n", line_end) + tail
    assert parse_description(odd.encode()) == parse_description(plain.encode())


def test_a_description_may_leave_out_what_says_nothing() -> None:
    description = parse_description(b"v=0\nc=IN IP4 192.0.2.1\nz=?\nb=AS:64\nm=audio 4000 RTP/AVP 0\nb=x\nk=prompt\n")
    assert description == Description(
        Origin(), (MediaSection("audio", 4000, "RTP/AVP", ("0",)),), connection="192.0.2.1"
    )


def test_names_in_latin_1_are_read() -> None:
    assert parse_description(HEAD.replace("s=-", "s=J\xf6rg").encode("latin-1")).origin.session_id == "1"


@pytest.mark.parametrize(
    "text",
    [
        "", "v=1\r\n", "o=- 1 1 IN IP4 a\r\nv=0\r\n", "<audio/>", HEAD + "m=audio\r\n", HEAD + "m=audio 1 RTP/AVP\r\n",
        HEAD + "m=audio x RTP/AVP 0\r\n", HEAD + "m=audio 70000 RTP/AVP 0\r\n", HEAD + "m=audio -1 RTP/AVP 0\r\n",
        HEAD + "m=audio 1 RTP/AVP 0\r\nm =video 2 RTP/AVP 0\r\n", HEAD + "rubbish\r\n", HEAD + "a=\0\r\n",
        HEAD + "c=IN IP4\r\n", HEAD + "c=IN IP4 224.2.1.1/127\r\n", HEAD + "c=ATM NSAP 1\r\n",
        HEAD + "c=IN IP6 ::g\r\n",
        HEAD + "c=IN IP4 a;b\r\n", HEAD.replace("o=a 1", "o=a b 1"), HEAD + "m=audio 1 RTP/AVP " + "0 " * 129,
        HEAD + "m=audio 1 RTP/AVP 0\r\n" * 17, HEAD + "a=x\r\n" * 600, HEAD + "a=" + "x" * 17_000,
    ],
)  # fmt: skip
def test_what_is_no_description_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse_description(text.encode())


def test_what_would_break_out_of_its_line_is_never_written() -> None:
    with pytest.raises(UnwritableMessage):
        bytes(Description(Origin(), attributes=(("tool", "a\r\nm=audio"),)))
