import itertools
from random import Random

import pytest

from telephones import PARTY, Exchange, frequency, level, tone
from vivavoce.audio.g711 import pcm_to_alaw
from vivavoce.core.errors import EngineError
from vivavoce.legs.opus import Decoder, Encoder
from vivavoce.legs.phone import wire
from vivavoce.legs.phone.g722 import G722Decoder, G722Encoder
from vivavoce.legs.phone.secrecy import Secrecy
from vivavoce.rtp import rtcp
from vivavoce.rtp.packet import header
from vivavoce.rtp.telephone_event import Event, build, parse, press

FRAME = wire.FRAME_BYTES


def speak(exchange, phone, pcm_8khz):
    """Say something in packets of 20 ms and return what the engine heard of it."""
    heard = b""
    for at in range(0, len(pcm_8khz), 160):
        phone.say_pcm(pcm_8khz[at : at + 160].tobytes())
        heard += b"".join(pcm for call, pcm in exchange.tick().heard if call == phone.call)
    return heard


def test_a_call_gets_an_even_port_and_the_next_one_for_reports():
    exchange = Exchange()
    phone = exchange.open()
    assert exchange.tick().happenings == [wire.Opened(1, 20_000)]
    assert (phone.sound.port, phone.reports.port) == (20_000, 20_001)


def test_a_packet_goes_out_every_20_ms_from_the_first_agreement_on():
    exchange = Exchange()
    phone = exchange.open()
    exchange.ticks(50)
    packets = phone.heard()
    assert len(packets) == 50
    assert [packet.marker for packet in packets] == [True] + [False] * 49
    assert {packet.ssrc for packet in packets} == {packets[0].ssrc}
    steps = itertools.pairwise(packets)
    assert {(b.sequence - a.sequence, b.timestamp - a.timestamp) for a, b in steps} == {(1, 160)}
    assert {len(packet.payload) for packet in packets} == {160}


def test_short_delays_are_made_up_for_and_of_longer_ones_time_is_skipped():
    exchange = Exchange()
    phone = exchange.open()
    exchange.order(wire.PlayFrames(1, bytes(FRAME * 20)))
    exchange.tick()
    assert exchange.tick(passed=3).played[-1] == (1, 0, 4)
    assert exchange.tick(passed=9).played[-1] == (1, 0, 7)
    steps = [(b.sequence - a.sequence, b.timestamp - a.timestamp) for a, b in itertools.pairwise(phone.heard())]
    assert steps == [(1, 160), (1, 160), (1, 160), (1, 7 * 160), (1, 160), (1, 160)]


def test_what_the_party_says_is_heard_at_24_khz_at_once():
    exchange = Exchange()
    phone = exchange.open()
    phone.say_pcm(tone(800, 8000, 1.0)[:160].tobytes())
    first = exchange.tick()
    assert wire.Connected(1) in first.happenings
    heard = first.heard[0][1] + speak(exchange, phone, tone(800, 8000, 1.0)[160:])
    assert len(heard) == 24_000 * 2
    assert frequency(heard[4800:], 24_000) == pytest.approx(800, abs=2)
    assert level(heard[4800:]) == pytest.approx(8000 / 2**0.5, rel=0.05)


def test_what_is_played_is_heard_at_8_khz_frame_by_frame():
    exchange = Exchange()
    phone = exchange.open()
    exchange.order(wire.PlayFrames(1, tone(700, 24_000, 1.0).tobytes()))
    played = [entry for tick in exchange.ticks(50) for entry in tick.played]
    assert played == [(1, 0, count) for count in range(1, 51)]
    pcm = phone.heard_pcm()
    assert len(pcm) == 8000 * 2
    assert frequency(pcm[1600:], 8000) == pytest.approx(700, abs=2)
    assert level(pcm[1600:]) == pytest.approx(8000 / 2**0.5, rel=0.05)


def test_after_speech_comes_its_end_and_then_soft_noise():
    exchange = Exchange()
    phone = exchange.open()
    exchange.order(wire.PlayFrames(1, tone(700, 24_000, 0.1).tobytes()))
    exchange.ticks(5)
    phone.heard()
    exchange.tick()
    end = phone.heard_pcm()
    assert level(end[:48]) > 1000  # 3 ms of the filter's delay
    exchange.ticks(10)
    assert 0 < level(phone.heard_pcm()) < 40


@pytest.mark.parametrize("codec", ["pcmu", "opus"])
def test_what_leaves_is_told_with_clips_and_volume_but_without_silence(codec):
    exchange = Exchange()
    exchange.open(codec=codec)
    speech, clip = tone(700, 24_000, 0.06), tone(500, 24_000, 0.02)
    exchange.order(
        wire.LoadClip("ding", clip.tobytes()), wire.PlayFrames(1, speech.tobytes()), wire.PlayClip(1, "ding", False)
    )
    exchange.order(wire.Monitor(1, True))
    left = [tick.left for tick in exchange.ticks(2)]
    exchange.order(wire.Duck(1, 0.0))
    left += [tick.left for tick in exchange.ticks(2)]
    exchange.ticks(1)
    assert left[:2] == [[(1, clip.tobytes())], [(1, speech[:480].tobytes())]]
    assert 0 < level(left[2][0][1]) < level(speech[480:960].tobytes())
    assert left[3] == [(1, bytes(FRAME))]
    assert exchange.tick().left == []
    exchange.order(wire.Monitor(1, False), wire.PlayFrames(1, speech.tobytes()))
    assert exchange.tick().left == []


def test_libraries_are_loaded_ahead_of_calls_and_what_is_missing_is_told_by_the_first_call(monkeypatch):
    exchange = Exchange()
    exchange.order(wire.Prepare(("opus", "g722", "pcmu", "pcma")))
    assert exchange.engine.is_idle

    def missing(*arguments):
        raise EngineError("there is no G.722 here")

    monkeypatch.setattr("vivavoce.legs.phone.coding.G722Encoder", missing)
    exchange.order(wire.Prepare(("g722",)))
    exchange.open(codec="g722")
    assert wire.Failed(1, "there is no G.722 here") in exchange.tick().happenings


def test_calls_do_not_hear_each_other():
    exchange = Exchange()
    phones = [exchange.open(call) for call in (1, 2, 3)]
    for call, hz in ((1, 500), (2, 900)):
        exchange.order(wire.PlayFrames(call, tone(hz, 24_000, 0.5).tobytes()))
    heard = {1: b"", 2: b"", 3: b""}
    for at in range(0, 4000, 160):
        for phone, hz in zip(phones[1:], (1100, 1300), strict=True):
            phone.say_pcm(tone(hz, 8000, 0.5)[at : at + 160].tobytes())
        for call, pcm in exchange.tick().heard:
            heard[call] += pcm
    assert [frequency(phone.heard_pcm()[800:], 8000) for phone in phones[:2]] == pytest.approx([500, 900], abs=4)
    assert level(phones[2].heard_pcm()) < 40
    assert [frequency(heard[call][2400:], 24_000) for call in (2, 3)] == pytest.approx([1100, 1300], abs=4)
    assert level(heard[1]) == 0


def test_clearing_stops_speech_at_once_and_counts_anew():
    exchange = Exchange()
    phone = exchange.open()
    exchange.order(wire.PlayFrames(1, tone(700, 24_000, 1.0).tobytes()), wire.Duck(1, 0.1))
    exchange.ticks(3)
    exchange.order(wire.Clear(1, 7), wire.PlayFrames(1, tone(700, 24_000, 0.04).tobytes()))
    phone.heard()
    assert [tick.played for tick in exchange.ticks(3)] == [[(1, 7, 1)], [(1, 7, 2)], []]
    assert level(phone.heard_pcm()[320:640]) > 5000


def test_a_ducked_voice_is_soft_and_changes_without_a_step():
    exchange = Exchange()
    phone = exchange.open()
    exchange.order(wire.PlayFrames(1, tone(400, 24_000, 1.0).tobytes()))
    exchange.ticks(10)
    exchange.order(wire.Duck(1, 0.25))
    phone.heard()
    exchange.ticks(5)
    pcm = phone.heard_pcm()
    assert level(pcm[:320]) > 2 * level(pcm[-320:])
    assert level(pcm[-320:]) == pytest.approx(0.25 * 8000 / 2**0.5, rel=0.1)


def test_no_more_waits_than_there_is_room_for():
    exchange = Exchange()
    exchange.open()
    exchange.order(wire.PlayFrames(1, bytes(FRAME * (wire.MOST_AHEAD + 50))))
    played = [entry for tick in exchange.ticks(wire.MOST_AHEAD + 20) for entry in tick.played]
    assert played[-1] == (1, 0, wire.MOST_AHEAD)


def test_a_clip_holds_back_speech_and_tells_when_it_ended():
    exchange = Exchange()
    phone = exchange.open()
    exchange.order(
        wire.LoadClip("greeting", tone(500, 24_000, 0.05).tobytes()),
        wire.PlayFrames(1, tone(900, 24_000, 0.2).tobytes()),
        wire.PlayClip(1, "greeting", False),
    )
    exchange.tick()
    ticks = exchange.ticks(12)
    assert [tick.happenings for tick in ticks[:3]] == [[], [wire.ClipEnded(1, "greeting")], []]
    assert [tick.played for tick in ticks[1:4]] == [[], [(1, 0, 1)], [(1, 0, 2)]]
    pcm = phone.heard_pcm()
    assert frequency(pcm[:960], 8000) == pytest.approx(500, abs=20)


def test_a_looped_clip_gives_way_to_speech():
    exchange = Exchange()
    phone = exchange.open()
    exchange.order(wire.LoadClip("hold", tone(500, 24_000, 0.04).tobytes()), wire.PlayClip(1, "hold", True))
    exchange.ticks(20)
    assert level(phone.heard_pcm()[640:]) > 5000
    exchange.order(wire.PlayFrames(1, bytes(FRAME)))
    assert exchange.tick().happenings == [wire.ClipEnded(1, "hold")]
    exchange.ticks(3)
    phone.heard()
    exchange.ticks(3)
    assert level(phone.heard_pcm()) < 40


def test_a_clip_that_is_stopped_or_unknown():
    exchange = Exchange()
    phone = exchange.open()
    exchange.order(wire.PlayClip(1, "nothing", False))
    assert wire.ClipEnded(1, "nothing") in exchange.tick().happenings
    exchange.order(wire.LoadClip("long", tone(500, 24_000, 1.0).tobytes()), wire.PlayClip(1, "long", False))
    exchange.tick()
    exchange.order(wire.StopClip(1))
    exchange.ticks(2)
    phone.heard()
    happenings = [each for tick in exchange.ticks(60) for each in tick.happenings]
    assert not [each for each in happenings if isinstance(each, wire.ClipEnded)]
    exchange.order(wire.LoadClip("long", b""), wire.PlayClip(1, "long", True))
    assert exchange.tick().happenings == [wire.ClipEnded(1, "long")]


def test_on_hold_nothing_is_sent_and_nothing_is_heard():
    exchange = Exchange()
    phone = exchange.open()
    exchange.ticks(3)
    phone.heard()
    phone.direct(sends=False, receives=False)
    heard = speak(exchange, phone, tone(800, 8000, 1.0))
    assert len(heard) == pytest.approx(50 * FRAME, abs=2 * FRAME)  # time goes on
    assert level(heard) == 0
    assert phone.heard() == []
    phone.direct()
    exchange.tick()
    (packet,) = phone.heard()
    assert packet.marker


def test_keys_that_are_pressed_are_told_once():
    exchange = Exchange()
    phone = exchange.open()
    exchange.ticks(1)
    for key in "1#":
        start = phone.timestamp
        for event in press(key, 8000, duration_ms=60):
            phone.timestamp = start
            phone.say(build(event), payload_type=101, ticks=0)
            phone.say(build(event), payload_type=101, ticks=0)
        phone.timestamp = start + 4000
    happenings = exchange.tick().happenings
    assert [happening.key for happening in happenings if isinstance(happening, wire.Pressed)] == ["1", "#"]


def test_sound_and_keys_are_heard_under_the_types_that_were_offered_as_well():
    exchange = Exchange()
    phone = exchange.open()
    phone.direct(also_types=(96,), also_keys_type=102)
    for payload_type in (0, 96, 97):
        phone.say_pcm(tone(800, 8000, 0.02).tobytes(), payload_type=payload_type)
    assert sum(len(pcm) for _, pcm in exchange.tick().heard) == 2 * FRAME, "nobody knows what is under 97"
    for event in press("5", 8000, duration_ms=60)[-1:]:
        phone.say(build(event), payload_type=102)
    assert wire.Pressed(1, "5") in exchange.tick().happenings


def test_keys_are_pressed_while_speech_waits():
    exchange = Exchange()
    phone = exchange.open()
    exchange.order(wire.PlayFrames(1, tone(700, 24_000, 1.0).tobytes()))
    exchange.tick()
    phone.heard()
    exchange.order(wire.Press(1, "5", 60))
    ticks = exchange.ticks(12)
    packets = phone.heard()
    events = [packet for packet in packets if packet.payload_type == 101]
    assert [parse(packet.payload) for packet in events] == [
        Event(5, False, 10, 160),
        Event(5, False, 10, 320),
        Event(5, True, 10, 480),
        Event(5, True, 10, 480),
        Event(5, True, 10, 480),
    ]
    assert {packet.timestamp for packet in events} == {events[0].timestamp}
    assert [packet.marker for packet in events] == [True] + [False] * 4
    assert len(packets) == 12
    assert [tick.played for tick in ticks[:9]] == [[]] * 9
    assert ticks[9].played == [(1, 0, 2)]


def test_where_no_events_were_agreed_on_no_key_is_pressed():
    exchange = Exchange()
    phone = exchange.open(keys_type=None)
    exchange.order(wire.Press(1, "5", 60))
    exchange.ticks(3)
    assert {packet.payload_type for packet in phone.heard()} == {0}


def test_answers_go_to_where_packets_come_from():
    exchange = Exchange()
    phone = exchange.open()
    exchange.tick()
    assert phone.sound.sent[-1][1] == PARTY
    phone.at = ("198.51.100.9", 61_000)
    phone.say_pcm(bytes(320))
    exchange.ticks(2)
    assert phone.sound.sent[-1][1] == phone.at


def test_nobody_else_gets_a_word_in_while_the_party_speaks():
    exchange = Exchange()
    phone = exchange.open()
    phone.say_pcm(bytes(320))
    exchange.tick()
    for _ in range(10):
        phone.say_pcm(bytes(320))
        phone.sound.inbox.append(
            (header(0, False, phone.sequence, phone.timestamp, 77) + bytes(160), ("203.0.113.5", 9))
        )
        exchange.tick()
    assert phone.sound.sent[-1][1] == PARTY
    assert exchange.engine._streams[1]._reception.statistics.received == 11


def test_a_party_whose_port_changes_is_followed_after_two_seconds():
    exchange = Exchange()
    phone = exchange.open()
    speak(exchange, phone, tone(300, 8000, 0.1))
    phone.at = (PARTY[0], 4444)
    phone.say_pcm(bytes(320))
    exchange.ticks(2)
    assert phone.sound.sent[-1][1] == PARTY
    exchange.ticks(105)
    phone.say_pcm(bytes(320))
    exchange.ticks(2)
    assert phone.sound.sent[-1][1] == phone.at


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"])
def test_with_srtp_both_ways_are_encrypted_and_forgeries_are_dropped(suite):
    exchange = Exchange()
    ours, theirs = wire.Secret(suite, bytes(range(30))), wire.Secret(suite, bytes(range(30, 60)))
    phone = exchange.open(sending=ours, receiving=theirs)
    protect, reveal = Secrecy(theirs, sends=True).protect, Secrecy(ours, sends=False).reveal
    exchange.order(wire.PlayFrames(1, tone(700, 24_000, 0.2).tobytes()))
    heard = b""
    for at in range(0, 3200, 160):
        phone.say_pcm(tone(900, 8000, 0.4)[at : at + 160].tobytes(), protect=protect)
        phone.sound.inbox.append((header(0, False, phone.sequence, 0, 77) + bytes(170), PARTY))
        heard += b"".join(pcm for _, pcm in exchange.tick().heard)
        # Told again, as a session refresh does: the state of the encryption goes on.
        phone.direct(sending=ours, receiving=theirs)
    assert frequency(heard[4800:], 24_000) == pytest.approx(900, abs=4)
    revealed = [reveal(data) for data, _ in phone.sound.sent]
    assert len(revealed) == 20
    assert all(data is not None and len(data) == 172 for data in revealed)


def test_an_unknown_suite_ends_the_call_with_a_reason():
    exchange = Exchange()
    phone = exchange.open()
    exchange.tick()
    phone.direct(sending=wire.Secret("F8_128_HMAC_SHA1_80", bytes(30)))
    (failed,) = [each for each in exchange.tick().happenings if isinstance(each, wire.Failed)]
    assert "F8_128_HMAC_SHA1_80" in failed.reason
    assert phone.sound.is_closed
    assert exchange.poll.watched == set()


def test_a_law_opus_and_g722_pass_both_ways():
    exchange = Exchange()
    for call, (codec, type_) in enumerate((("pcma", 8), ("opus", 96), ("g722", 9)), 1):
        phone = exchange.open(call, codec=codec, payload_type=type_)
        exchange.order(wire.PlayFrames(call, tone(600, 24_000, 0.6).tobytes()))
        opus, g722 = Encoder(24_000), G722Encoder()
        heard = b""
        for n in range(30):
            if codec == "pcma":
                phone.say(pcm_to_alaw(tone(1000, 8000, 0.6)[160 * n :][:160].tobytes()), payload_type=8)
            elif codec == "opus":
                pcm = tone(1000, 24_000, 0.6)[480 * n :][:480].tobytes()
                phone.say(opus.encode(pcm), payload_type=96, ticks=960)
            else:
                phone.say(g722.encode(tone(1000, 16_000, 0.6)[320 * n :][:320].tobytes()), payload_type=9)
            heard += b"".join(pcm for number, pcm in exchange.tick().heard if number == call)
        assert len(heard) == 30 * FRAME
        assert frequency(heard[9600:], 24_000) == pytest.approx(1000, abs=5), codec
        packets = phone.heard()
        ticks = packets[1].timestamp - packets[0].timestamp & 0xFFFF_FFFF
        assert (len(packets), ticks) == (30, 960 if codec == "opus" else 160)
        if codec == "opus":
            decoder = Decoder(24_000)
            pcm = b"".join(decoder.decode(packet.payload) for packet in packets)
            assert frequency(pcm[9600:], 24_000) == pytest.approx(600, abs=5)
        elif codec == "g722":
            decode = G722Decoder().decode
            pcm = b"".join(decode(packet.payload) for packet in packets)
            assert frequency(pcm[6400:], 16_000) == pytest.approx(600, abs=5)


def test_another_codec_in_the_middle_of_a_call():
    exchange = Exchange()
    phone = exchange.open()
    speak(exchange, phone, tone(800, 8000, 0.2))
    first = phone.heard()[-1]
    phone.direct(codec="opus", payload_type=96)
    encoder = Encoder(24_000)
    heard = b""
    for n in range(20):
        phone.say(encoder.encode(tone(500, 24_000, 0.4)[480 * n :][:480].tobytes()), payload_type=96, ticks=960)
        heard += b"".join(pcm for _, pcm in exchange.tick().heard)
    assert frequency(heard[9600:], 24_000) == pytest.approx(500, abs=5)
    later = phone.heard()[-1]
    assert later.payload_type == 96
    assert later.ssrc != first.ssrc


@pytest.mark.parametrize("packet_ms", [10, 20, 30, 40, 60])
def test_packets_of_any_length_are_heard_whole(packet_ms):
    exchange = Exchange()
    phone = exchange.open()
    exchange.tick()
    speech, heard, said = tone(800, 8000, 1.2), b"", 0
    for n in range(60):
        while said + packet_ms <= 20 * (n + 1):
            phone.say_pcm(speech[8 * said : 8 * (said + packet_ms)].tobytes(), ticks=8 * packet_ms)
            said += packet_ms
        heard += b"".join(pcm for _, pcm in exchange.tick().heard)
    early = packet_ms // 20 - 1 if packet_ms > 40 else 0  # frames of silence before the first packet
    assert 60 * FRAME <= len(heard) <= (60 + early) * FRAME
    assert frequency(heard[9600:], 24_000) == pytest.approx(800, abs=2)


def test_a_lost_packet_is_concealed():
    exchange = Exchange()
    phone = exchange.open()
    whole = tone(800, 8000, 0.6)
    speak(exchange, phone, whole[:1600])
    phone.sequence += 1
    phone.timestamp += 160
    exchange.tick()
    heard = speak(exchange, phone, whole[1760:])
    assert len(heard) == (len(whole) - 1600) * 6
    assert level(heard[: 6 * 300]) > 3000


def test_silence_flows_while_nothing_comes():
    exchange = Exchange()
    exchange.open()
    heard = b"".join(pcm for tick in exchange.ticks(50) for _, pcm in tick.heard)
    assert level(heard) == 0
    assert len(heard) == pytest.approx(50 * FRAME, abs=2 * FRAME)


def test_a_party_that_falls_silent_for_good_is_gone():
    exchange = Exchange()
    phone = exchange.open(timeout_seconds=2.0)
    speak(exchange, phone, tone(300, 8000, 0.1))
    closed = [each for tick in exchange.ticks(120) for each in tick.happenings if isinstance(each, wire.Closed)]
    assert closed == [wire.Closed(1, "no sound came for 2 seconds")]
    assert phone.sound.is_closed
    assert exchange.engine.is_idle


@pytest.mark.parametrize("terms", [{"receives": False}, {"sends": False}, {"timeout_seconds": 0.0}])
def test_on_hold_nobody_is_gone(terms):
    exchange = Exchange()
    phone = exchange.open(**{"timeout_seconds": 2.0, **terms})
    happenings = [each for tick in exchange.ticks(300) for each in tick.happenings]
    assert not [each for each in happenings if isinstance(each, wire.Closed)]
    phone.direct(timeout_seconds=2.0)
    waited = [bool([each for each in tick.happenings if isinstance(each, wire.Closed)]) for tick in exchange.ticks(110)]
    assert waited.index(True) == pytest.approx(100, abs=2)


def test_reports_tell_how_well_it_is_heard_and_learn_the_round_trip():
    exchange = Exchange()
    phone = exchange.open()
    speak(exchange, phone, tone(300, 8000, 4.0))
    data, address = phone.reports.sent[0]
    assert address == (PARTY[0], PARTY[1] + 1)
    sender, name = rtcp.parse(data)
    assert isinstance(sender, rtcp.SenderReport)
    assert (sender.blocks[0].ssrc, sender.blocks[0].lost) == (77, 0)
    assert isinstance(name, rtcp.Description)
    block = rtcp.Block(sender.ssrc, 64, 10, 0, 80, sender.ntp >> 16 & 0xFFFF_FFFF, 65_536)
    exchange.now += 1.1
    phone.reports.inbox.append((rtcp.build([rtcp.ReceiverReport(77, (block,))]), PARTY))
    measured = []
    for _ in range(6):
        measured += [each for tick in exchange.ticks(50) for each in tick.happenings if isinstance(each, wire.Measured)]
    assert measured[-1].peer_loss == 0.25
    assert measured[-1].peer_jitter_ms == 10
    assert measured[-1].round_trip_ms > 50
    assert 1 <= measured[-1].opinion <= 4.5


def test_reports_share_the_port_where_that_was_agreed():
    exchange = Exchange()
    phone = exchange.open(rtcp_port=PARTY[1])
    speak(exchange, phone, tone(300, 8000, 4.0))
    reports = [data for data, _ in phone.sound.sent if rtcp.parse(data) is not None and data[1] >= 192]
    assert reports
    assert phone.reports.sent == []


def test_a_call_that_ends_says_goodbye_and_gives_everything_back():
    exchange = Exchange(calls=1)
    phone = exchange.open()
    speak(exchange, phone, tone(300, 8000, 0.1))
    exchange.order(wire.Close(1))
    assert [each.call for each in exchange.tick().happenings if isinstance(each, wire.Measured)] == [1]
    assert isinstance(rtcp.parse(phone.reports.sent[-1][0])[-1], rtcp.Goodbye)
    assert phone.sound.is_closed
    assert phone.reports.is_closed
    assert exchange.engine.is_idle
    exchange.order(wire.Close(1), wire.PlayFrames(1, bytes(FRAME)))
    assert exchange.open(2).call == 2


def test_more_calls_than_there_is_room_for_are_refused():
    exchange = Exchange(calls=1)
    exchange.open(1)
    exchange.order(wire.Open(2, "127.0.0.1", (1, 2)))
    assert [each for each in exchange.tick().happenings if isinstance(each, wire.Failed)] == [
        wire.Failed(2, "there is no room for another call's sound")
    ]


def test_mutated_packets_harm_neither_this_call_nor_another():
    exchange = Exchange()
    victim, other = exchange.open(1), exchange.open(2)
    chance = Random(5)
    speech = tone(800, 8000, 4.0)
    heard = b""
    for n in range(200):
        for _ in range(20):
            data = bytearray(header(0, False, victim.sequence + n, victim.timestamp + 160 * n, 77) + bytes(160))
            for _ in range(chance.randrange(1, 12)):
                data[chance.randrange(len(data)) if chance.random() < 0.5 else chance.randrange(14)] = chance.randrange(
                    256
                )
            victim.sound.inbox.append((bytes(data[: chance.randrange(len(data) + 1)]), PARTY))
            victim.reports.inbox.append(
                (bytes([0x80 | chance.randrange(32), chance.randrange(198, 210)]) + bytes(data[2:60]), PARTY)
            )
        victim.sound.inbox.append(ConnectionRefusedError())
        other.say_pcm(speech[160 * n :][:160].tobytes())
        heard += b"".join(pcm for call, pcm in exchange.tick().heard if call == 2)
    assert len(heard) == 200 * FRAME
    assert frequency(heard[4800:], 24_000) == pytest.approx(800, abs=2)
    assert not exchange.last.happenings


def test_a_mistake_with_one_call_ends_it_alone():
    exchange = Exchange()
    phone, other = exchange.open(1), exchange.open(2)
    exchange.tick()

    def fail(step):
        raise RuntimeError("oh")

    exchange.engine._streams[1]._decoder.perform = fail
    phone.say_pcm(bytes(320))
    other.say_pcm(tone(800, 8000, 0.02).tobytes())
    tick = exchange.tick()
    assert wire.Failed(1, "an internal error: RuntimeError('oh')") in tick.happenings
    assert [call for call, _ in tick.heard] == [2]
    exchange.ticks(20)
    assert phone.sound.is_closed
    assert len(other.heard()) == 22
