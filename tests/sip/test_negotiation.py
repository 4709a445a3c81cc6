"""Offer and answer: what telephones are offered and answer, holding, changing, encrypting, and refusing."""

from __future__ import annotations

import base64
import itertools

import msgspec
import pytest

from vivavoce.sip.codecs import G722, OPUS, PCMA, PCMU, Format, Keys
from vivavoce.sip.errors import MalformedMessage, OfferRefused
from vivavoce.sip.negotiation import MediaTerms, Negotiation, Place, Stream
from vivavoce.sip.sdp import MediaSection, parse_description

HEAD = "v=0\r\no=p 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
THEIR_KEY = bytes(range(30))
THEIRS = base64.b64encode(THEIR_KEY).decode()
CRYPTO = f"a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:{THEIRS}"


def negotiation(terms: MediaTerms = MediaTerms(), address: str = "192.0.2.1") -> Negotiation:  # noqa: B008
    keys = itertools.count(65)
    return Negotiation(terms, Place(address, 20_000), 77, lambda: bytes([next(keys)]) * 30)


def sdp(*lines: str, head: str = HEAD) -> bytes:
    return (head + "".join(f"{line}\r\n" for line in lines)).encode()


def audio(answer: bytes) -> MediaSection:
    return next(section for section in parse_description(answer).media if section.port)


def directions(section: MediaSection) -> list[str]:
    return [name for name, _ in section.attributes if name in ("sendrecv", "sendonly", "recvonly", "inactive")]


def refusal(call: Negotiation, *lines: str) -> tuple[int, int]:
    before = call.stream
    with pytest.raises(OfferRefused) as caught:
        call.answer(sdp(*lines))
    assert call.stream is before
    return caught.value.status, caught.value.warning


def test_a_plain_telephone_is_answered_with_one_codec_and_its_keys() -> None:
    call = negotiation()
    answer, stream = call.answer(
        sdp(
            "m=audio 4000 RTP/AVP 18 8 0 101",
            "a=rtpmap:18 G729/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-16",
            "a=ptime:30",
            "a=candidate:1 1 UDP 1 192.0.2.9 4000 typ host",
        )
    )
    assert answer.decode().split("\r\n") == [
        "v=0",
        "o=- 77 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 20000 RTP/AVP 0 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]
    assert stream == Stream(
        address="192.0.2.9",
        port=4000,
        rtcp_address="192.0.2.9",
        rtcp_port=4001,
        rtcp_mux=False,
        format=Format(0, PCMU),
        formats=(Format(0, PCMU),),
        keys=Keys(101, 8000),
        keys_in=Keys(101, 8000),
        direction="sendrecv",
        ptime_ms=20,
        peer_ptime_ms=30,
        local_key=None,
        remote_key=None,
    )


def test_this_sides_preference_decides_and_payload_types_are_theirs() -> None:
    offer = sdp(
        "m=audio 4000 RTP/AVPF 0 9 111 126 110",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 useinbandfec=1",
        "a=rtpmap:126 telephone-event/8000",
        "a=rtpmap:110 telephone-event/48000",
    )
    answer, stream = negotiation().answer(offer)
    assert (audio(answer).protocol, audio(answer).formats) == ("RTP/AVPF", ("111", "110"))
    assert (stream.format, stream.keys) == (Format(111, OPUS, (("useinbandfec", "1"),)), Keys(110, 48_000))
    _, stream = negotiation(MediaTerms(codecs=(PCMA, G722))).answer(offer)
    assert (stream.format.codec, stream.keys) == (G722, Keys(126, 8000))


def test_keys_of_another_clock_are_better_than_none() -> None:
    _, stream = negotiation().answer(sdp("m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/16000"))
    assert stream.keys == Keys(101, 16_000)
    _, stream = negotiation(MediaTerms(has_keys=False)).answer(
        sdp("m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000")
    )
    assert stream.keys is None


def test_video_and_fax_beside_the_audio_are_refused_in_their_places() -> None:
    answer, _ = negotiation().answer(
        sdp("m=video 4002 RTP/AVP 31 97", "m=audio 4000 RTP/AVP 0", "m=image 4004 udptl t38", "m=audio 4006 RTP/AVP 0")
    )
    assert [(item.kind, item.port, item.protocol, item.formats) for item in parse_description(answer).media] == [
        ("video", 0, "RTP/AVP", ("31", "97")),
        ("audio", 20_000, "RTP/AVP", ("0",)),
        ("image", 0, "UDPTL", ("t38",)),
        ("audio", 0, "RTP/AVP", ("0",)),
    ]


def test_an_offer_of_ours_keeps_the_places_of_what_was_refused() -> None:
    call = negotiation()
    call.answer(sdp("m=video 4002 RTP/AVP 31", "m=audio 4000 RTP/AVP 8 100", "a=rtpmap:100 opus/48000/2"))
    video, sound = parse_description(call.offer()).media
    assert (video.kind, video.port, sound.kind, sound.port) == ("video", 0, "audio", 20_000)
    assert sound.formats[:4] == ("100", "9", "0", "8")


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        (["m=audio 4000 RTP/AVP 18"], 305),
        (["m=audio 4000 RTP/AVP 96", "a=rtpmap:96 iLBC/8000"], 305),
        (["m=image 4000 udptl t38"], 304),
        (["m=video 4000 RTP/AVP 31"], 304),
        (["m=audio 0 RTP/AVP 0"], 304),
        ([], 304),
        (["m=audio 4000 UDP/TLS/RTP/SAVPF 0"], 302),
        (["m=audio 4000 TCP/RTP/AVP 0"], 302),
        (["m=audio 4000 RTP/AVP 0", "c=IN IP4 phone.example.com"], 301),
        (["m=audio 4000 RTP/SAVP 0"], 399),
        (["m=audio 4000 RTP/SAVP 0", f"{CRYPTO}|2^20|1:4"], 399),
    ],
)
def test_what_no_call_can_be_made_of_is_refused_with_its_warning(lines: list[str], warning: int) -> None:
    assert refusal(negotiation(), *lines) == (488, warning)


def test_a_fax_that_wants_to_take_over_leaves_the_call_as_it_was() -> None:
    call = negotiation()
    _, stream = call.answer(sdp("m=audio 4000 RTP/AVP 0"))
    assert refusal(call, "m=audio 0 RTP/AVP 0", "m=image 4004 udptl t38") == (488, 304)
    assert call.stream == stream
    assert audio(call.offer()).port == 20_000


@pytest.mark.parametrize("offer", [b"", b"v=0\r\n\r\nm=", HEAD.encode() + b"m=audio x RTP/AVP 0\r\n"])
def test_what_is_no_description_is_malformed(offer: bytes) -> None:
    call = negotiation()
    with pytest.raises((MalformedMessage, OfferRefused)):
        call.answer(offer)
    assert call.stream is None


def test_audio_without_an_address_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="c= line"):
        negotiation().answer(b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n")


@pytest.mark.parametrize(
    ("theirs", "ours", "is_held", "listens"),
    [
        ("sendrecv", "sendrecv", False, True),
        ("sendonly", "recvonly", True, True),
        ("recvonly", "sendonly", False, False),
        ("inactive", "inactive", True, False),
    ],
)
def test_a_call_is_held_and_taken_back(theirs: str, ours: str, is_held: bool, listens: bool) -> None:
    call = negotiation()
    call.answer(sdp("m=audio 4000 RTP/AVP 0"))
    answer, stream = call.answer(sdp("m=audio 4000 RTP/AVP 0", f"a={theirs}"))
    assert (directions(audio(answer)), stream.direction) == ([ours], ours)
    assert (stream.is_held, stream.listens) == (is_held, listens)
    _, back = call.answer(sdp("m=audio 4000 RTP/AVP 0"))
    assert back.direction == "sendrecv"


@pytest.mark.parametrize("nowhere", ["IP4 0.0.0.0", "IP6 ::"])
def test_a_call_is_held_as_before_rfc_3264(nowhere: str) -> None:
    answer, stream = negotiation().answer(sdp("m=audio 4000 RTP/AVP 0", f"c=IN {nowhere}"))
    assert (directions(audio(answer)), stream.is_held) == (["recvonly"], True)


def test_a_direction_for_the_whole_description_holds_for_the_audio() -> None:
    assert negotiation().answer(sdp("a=sendonly", "m=audio 4000 RTP/AVP 0"))[1].direction == "recvonly"
    own = sdp("a=sendonly", "m=audio 4000 RTP/AVP 0", "a=sendrecv")
    assert negotiation().answer(own)[1].direction == "sendrecv"


def test_this_side_holds_and_takes_back() -> None:
    call = negotiation()
    call.answer(sdp("m=audio 4000 RTP/AVP 0"))
    call.direction = "sendonly"
    assert directions(audio(call.offer())) == ["sendonly"]
    assert call.receive_answer(sdp("m=audio 4000 RTP/AVP 0", "a=recvonly")).direction == "sendonly"
    # Whatever the other side offers meanwhile, it is not listened to.
    answer, stream = call.answer(sdp("m=audio 4000 RTP/AVP 0"))
    assert (directions(audio(answer)), stream.listens) == (["sendonly"], False)
    call.direction = "sendrecv"
    call.offer()
    assert call.receive_answer(sdp("m=audio 4000 RTP/AVP 0")).direction == "sendrecv"


def test_the_version_grows_with_each_change_and_only_then() -> None:
    call = negotiation()
    versions = [
        call.answer(sdp("m=audio 4000 RTP/AVP 0", f"a={way}"))[0] for way in ("sendrecv", "sendrecv", "sendonly")
    ]
    assert [parse_description(answer).origin.version for answer in versions] == ["1", "1", "2"]
    assert parse_description(call.offer()).origin.version == "3"


def test_a_telephone_may_change_its_address_and_codec() -> None:
    call = negotiation()
    call.answer(sdp("m=audio 4000 RTP/AVP 0"))
    _, stream = call.answer(sdp("m=audio 5000 RTP/AVP 8", "c=IN IP6 2001:db8::5"))
    assert (stream.address, stream.port, stream.format.codec) == ("2001:db8::5", 5000, PCMA)


def test_our_offer_has_everything_in_order() -> None:
    offer = negotiation(address="2001:db8::1").offer()
    assert offer.decode().split("\r\n")[1:] == [
        "o=- 77 1 IN IP6 2001:db8::1",
        "s=-",
        "c=IN IP6 2001:db8::1",
        "t=0 0",
        "m=audio 20000 RTP/AVP 96 9 0 8 101 97",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 maxplaybackrate=24000;sprop-maxcapturerate=24000;stereo=0;useinbandfec=1;usedtx=0",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=rtpmap:97 telephone-event/48000",
        "a=fmtp:97 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]


def test_an_answer_decides_what_is_sent_and_all_that_was_offered_may_come() -> None:
    call = negotiation()
    call.offer()
    assert call.is_offering
    stream = call.receive_answer(sdp("m=audio 4000 RTP/AVP 8 0 101", "a=rtpmap:101 telephone-event/8000"))
    assert (stream.format, stream.keys, stream.keys_in) == (Format(8, PCMA), Keys(101, 8000), Keys(101, 8000))
    assert [item.payload_type for item in stream.formats] == [96, 9, 0, 8]
    assert not call.is_offering
    assert audio(call.offer()).formats[0] == "8"


def test_an_answer_under_other_payload_types_is_sent_under_those() -> None:
    call = negotiation()
    call.offer()
    stream = call.receive_answer(sdp("m=audio 4000 RTP/AVP 120", "a=rtpmap:120 opus/48000/2"))
    assert stream.format.payload_type == 120
    assert [item.payload_type for item in stream.formats] == [96, 9, 0, 8, 120]
    assert stream.keys is None


def test_keys_come_as_the_answer_took_them_of_those_that_were_offered() -> None:
    call = negotiation()
    call.offer()
    lines = ["m=audio 4000 RTP/AVP 96 120", "a=rtpmap:96 opus/48000/2", "a=rtpmap:120 telephone-event/8000"]
    stream = call.receive_answer(sdp(*lines))
    assert (stream.keys, stream.keys_in) == (Keys(120, 8000), Keys(101, 8000))


def test_a_provisional_answer_may_be_followed_by_another() -> None:
    call = negotiation()
    call.offer()
    early = call.receive_answer(sdp("m=audio 4000 RTP/AVP 0"))
    final = call.receive_answer(sdp("m=audio 4400 RTP/AVP 8"))
    assert (early.port, final.port, final.format.codec) == (4000, 4400, PCMA)
    assert call.stream == final


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["m=audio 0 RTP/AVP 0"],
        ["m=video 4000 RTP/AVP 31"],
        ["m=audio 4000 RTP/AVP 18"],
        ["m=audio 4000 UDP/TLS/RTP/SAVP 0"],
        ["m=audio 4000 RTP/SAVP 0", CRYPTO],
    ],
)
def test_an_answer_that_takes_nothing_is_refused_and_the_offer_waits_on(lines: list[str]) -> None:
    call = negotiation()
    call.offer()
    with pytest.raises(OfferRefused):
        call.receive_answer(sdp(*lines))
    assert (call.stream, call.is_offering) == (None, True)


def test_an_answer_within_a_call_that_takes_nothing_ends_the_offer_and_changes_nothing() -> None:
    call = negotiation()
    _, stream = call.answer(sdp("m=audio 4000 RTP/AVP 0"))
    call.offer()
    with pytest.raises(OfferRefused):
        call.receive_answer(sdp("m=audio 0 RTP/AVP 0"))
    assert (call.stream, call.is_offering) == (stream, False)
    call.answer(sdp("m=audio 4000 RTP/AVP 0"))


def test_offers_do_not_cross() -> None:
    call = negotiation()
    call.offer()
    assert refusal(call, "m=audio 4000 RTP/AVP 0")[0] == 491
    with pytest.raises(OfferRefused):
        call.offer()
    call.withdraw()
    with pytest.raises(OfferRefused):
        call.receive_answer(sdp("m=audio 4000 RTP/AVP 0"))
    call.answer(sdp("m=audio 4000 RTP/AVP 0"))


def test_what_was_said_last_may_be_offered_again_to_refresh_the_call() -> None:
    call = negotiation()
    call.answer(sdp("m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000", "a=sendonly"))
    stream = call.receive_answer(sdp("m=audio 4400 RTP/AVP 0", "a=sendonly"))
    assert (stream.port, stream.direction, stream.formats, stream.keys) == (4400, "recvonly", (Format(0, PCMU),), None)
    secret = negotiation()
    secret.answer(sdp("m=audio 4000 RTP/SAVP 0", CRYPTO))
    other = base64.b64encode(bytes(30)).decode()
    stream = secret.receive_answer(sdp("m=audio 4000 RTP/SAVP 0", f"a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:{other}"))
    assert stream.remote_key is not None
    assert stream.remote_key.key == bytes(30)


def test_a_withdrawn_offer_leaves_the_call_as_it_was() -> None:
    call = negotiation()
    _, stream = call.answer(sdp("m=audio 4000 RTP/AVP 0"))
    call.offer()
    call.withdraw()
    assert call.stream == stream


def test_an_answer_to_nothing_is_refused() -> None:
    with pytest.raises(OfferRefused):
        negotiation().receive_answer(sdp("m=audio 4000 RTP/AVP 0"))


def test_encrypted_audio_is_answered_with_a_key_of_our_own() -> None:
    answer, stream = negotiation().answer(
        sdp("m=audio 4000 RTP/SAVP 0", "a=crypto:1 F8_128_HMAC_SHA1_80 inline:x", CRYPTO)
    )
    ours = base64.b64encode(b"A" * 30).decode()
    assert audio(answer).protocol == "RTP/SAVP"
    assert audio(answer).all("crypto") == (f"7 AES_CM_128_HMAC_SHA1_32 inline:{ours}",)
    assert stream.local_key is not None
    assert stream.remote_key is not None
    assert (stream.local_key.key, stream.remote_key.key) == (b"A" * 30, THEIR_KEY)
    assert stream.local_key.suite == stream.remote_key.suite == "AES_CM_128_HMAC_SHA1_32"


def test_a_line_without_a_key_identifier_is_taken_where_others_have_one() -> None:
    answer, _ = negotiation().answer(
        sdp("m=audio 4000 RTP/SAVP 0", f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}|2^20|1:4", CRYPTO)
    )
    assert [line.split()[0] for line in audio(answer).all("crypto")] == ["7"]


def test_our_key_stays_for_the_call() -> None:
    call = negotiation()
    first, _ = call.answer(sdp("m=audio 4000 RTP/SAVP 0", CRYPTO))
    again, _ = call.answer(sdp("m=audio 4000 RTP/SAVP 0", CRYPTO))
    assert first == again
    offered = audio(call.offer())
    assert offered.protocol == "RTP/SAVP"
    assert audio(first).all("crypto")[0].split()[2] in offered.all("crypto")[1]


def test_keys_beside_plain_audio_encrypt_it_where_that_is_allowed() -> None:
    lines = ["m=audio 4000 RTP/AVP 0", CRYPTO]
    answer, stream = negotiation().answer(sdp(*lines))
    assert (audio(answer).protocol, len(audio(answer).all("crypto")), stream.local_key is None) == ("RTP/AVP", 1, False)
    answer, stream = negotiation(MediaTerms(security="never")).answer(sdp(*lines))
    assert (audio(answer).all("crypto"), stream.local_key) == ((), None)


def test_the_encrypted_one_of_two_is_taken() -> None:
    answer, stream = negotiation().answer(sdp("m=audio 4000 RTP/AVP 0", "m=audio 4000 RTP/SAVP 0", CRYPTO))
    assert [item.port for item in parse_description(answer).media] == [0, 20_000]
    assert stream.remote_key is not None


@pytest.mark.parametrize(
    ("security", "lines"),
    [("never", ["m=audio 4000 RTP/SAVP 0", CRYPTO]), ("require", ["m=audio 4000 RTP/AVP 0"])],
)
def test_the_lines_policy_on_encryption_holds(security: str, lines: list[str]) -> None:
    terms = msgspec.convert({"security": security}, MediaTerms)
    assert refusal(negotiation(terms), *lines) == (488, 399)


def test_encryption_is_offered_where_it_is_required() -> None:
    call = negotiation(MediaTerms(security="require"))
    offered = audio(call.offer())
    assert offered.protocol == "RTP/SAVP"
    assert [line.split()[:2] for line in offered.all("crypto")] == [
        ["1", "AES_CM_128_HMAC_SHA1_80"], ["2", "AES_CM_128_HMAC_SHA1_32"],
    ]  # fmt: skip
    stream = call.receive_answer(sdp("m=audio 4000 RTP/SAVP 0", f"a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:{THEIRS}"))
    assert stream.local_key is not None
    assert (stream.local_key.tag, stream.local_key.key) == (2, b"B" * 30)


@pytest.mark.parametrize(
    "lines",
    [
        ["m=audio 4000 RTP/AVP 0"],
        ["m=audio 4000 RTP/SAVP 0"],
        ["m=audio 4000 RTP/SAVP 0", f"a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}"],
        ["m=audio 4000 RTP/SAVP 0", f"a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:{THEIRS}"],
    ],
)
def test_an_answer_may_not_leave_encryption_out(lines: list[str]) -> None:
    call = negotiation(MediaTerms(security="require"))
    call.offer()
    with pytest.raises(OfferRefused):
        call.receive_answer(sdp(*lines))


def test_reports_go_with_the_audio_where_that_is_offered() -> None:
    lines = ["m=audio 4000 RTP/AVP 0", "a=rtcp-mux", "a=rtcp:4000"]
    answer, stream = negotiation().answer(sdp(*lines))
    assert (audio(answer).get("rtcp-mux"), stream.rtcp_mux, stream.rtcp_port) == ("", True, 4000)
    answer, stream = negotiation(MediaTerms(has_rtcp_mux=False)).answer(sdp("m=audio 4000 RTP/AVP 0", "a=rtcp-mux"))
    assert (audio(answer).get("rtcp-mux"), stream.rtcp_mux, stream.rtcp_port) == (None, False, 4001)


def test_an_answer_cannot_put_reports_with_the_audio_by_itself() -> None:
    call = negotiation()
    call.offer()
    assert not call.receive_answer(sdp("m=audio 4000 RTP/AVP 0", "a=rtcp-mux")).rtcp_mux


@pytest.mark.parametrize(
    ("rtcp", "place"),
    [
        ("53020", ("192.0.2.9", 53020)),
        ("53020 IN IP4 192.0.2.33", ("192.0.2.33", 53020)),
        ("53020 IN IP6 2001:db8::2", ("2001:db8::2", 53020)),
        ("rubbish", ("192.0.2.9", 4001)),
        ("5 IN IP4 a;b", ("192.0.2.9", 4001)),
    ],
)
def test_reports_may_have_a_place_of_their_own(rtcp: str, place: tuple[str, int]) -> None:
    _, stream = negotiation().answer(sdp("m=audio 4000 RTP/AVP 0", f"a=rtcp:{rtcp}"))
    assert (stream.rtcp_address, stream.rtcp_port) == place


@pytest.mark.parametrize(
    ("line", "ptime_ms", "peer_ptime_ms"),
    [
        ("a=ptime:40", 20, 40),
        ("a=ptime:20.0", 20, 20),
        ("a=maxptime:10", 10, None),
        ("a=maxptime:5", 20, None),
        ("a=ptime:x", 20, None),
    ],
)
def test_packets_are_never_longer_than_the_other_side_takes(
    line: str, ptime_ms: int, peer_ptime_ms: int | None
) -> None:
    _, stream = negotiation().answer(sdp("m=audio 4000 RTP/AVP 0", line))
    assert (stream.ptime_ms, stream.peer_ptime_ms) == (ptime_ms, peer_ptime_ms)


def test_comfort_noise_is_taken_where_the_line_wants_it() -> None:
    lines = ["m=audio 4000 RTP/AVP 0 13"]
    assert "13" not in audio(negotiation().answer(sdp(*lines))[0]).formats
    quiet = MediaTerms(has_comfort_noise=True)
    assert "13" in audio(negotiation(quiet).answer(sdp(*lines))[0]).formats
    assert "13" in audio(negotiation(quiet).offer()).formats


def test_two_of_us_agree_whoever_offers() -> None:
    for security in ("never", "allow", "require"):
        terms = msgspec.convert({"security": security}, MediaTerms)
        one, other = negotiation(terms), negotiation(terms, "192.0.2.2")
        for caller, callee in ((one, other), (other, one), (one, other)):
            answer, theirs = callee.answer(caller.offer())
            ours = caller.receive_answer(answer)
            assert (ours.format.codec, ours.keys) == (theirs.format.codec, theirs.keys) == (OPUS, ours.keys_in)
            assert (ours.local_key, ours.remote_key) == (theirs.remote_key, theirs.local_key)
            assert (ours.local_key is None) == (security != "require")
