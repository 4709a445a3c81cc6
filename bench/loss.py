"""What packet loss and jitter cost: sound, delay and words.

    python bench/loss.py [--quick] [--codec opus|pcmu|both] [--voice slt] [--seed 1]

Forty sentences (tests/data/utterances.tsv), spoken by flite one after the other, are sent in packets of 20 ms over a
simulated link: each packet is lost with a probability and delayed by 10 ms and an even share of the jitter, so that
packets overtake each other.  They are received as calls receive them (`rtp.reception`), ticks of 20 ms included, and
what comes out is recognised by the embedded recogniser, which was never told the sentences.

    out        sound of packets that were sent and came out, and what was recovered from copies, in percent
    length     of all that came out over what was sent, in percent
    delay      mean time from a packet's being sent to its being heard, beyond the link's own mean, in milliseconds:
               of the first and last ten seconds; and of the worst packet
    WER        words wrong, in percent

Opus is coded as Chromium does: VoIP at 32 kbit/s and 48 kHz, complexity 9, copies for the loss there is, after it was
told of it.  `pcmu` is a telephone's, concealed as telephones' calls are.  Time is simulated: load does not matter.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from load.held_out import held_out
from recognition import levelled, read_wav, sentences, word_errors

from vivavoce.audio.conceal import Concealment
from vivavoce.audio.g711 import pcm_to_ulaw, ulaw_to_pcm
from vivavoce.audio.resample import resample
from vivavoce.core.effects import Vocabulary
from vivavoce.engines import api
from vivavoce.engines.sphinx import SphinxAsr
from vivavoce.legs.opus import Decoder, Encoder, has_copy
from vivavoce.rtp.packet import Packet
from vivavoce.rtp.reception import Conceal, Play, Reception, Recover, Silence, Step
from vivavoce.rtp.ticks import octet_ticks, opus_ticks

LOSSES, JITTERS_MS = (0.0, 0.01, 0.05, 0.10), (0, 30, 100)
LINK_MS = 10
EARS_HZ = 16_000
ENDS_SECONDS = 10.0


class Talk(NamedTuple):
    """All sentences, one after the other."""

    pcm: bytes
    """s16le mono 16 kHz."""
    parts: tuple[tuple[str, int, int], ...]
    """What is said, and from which to which sample."""


class Codec(NamedTuple):
    """One way to code, and to undo it step by step."""

    rate_hz: int
    clock_hz: int
    encode: Callable[[bytes], bytes]
    ticks: Callable[[bytes], int]
    perform: Callable[[Step], bytes]
    """Return the sound of a step, at `out_hz`."""
    out_hz: int
    has_copies: bool


class Outcome(NamedTuple):
    """What came of one link."""

    out: float
    length: float
    start_ms: float
    end_ms: float
    worst_ms: float
    errors: float


def spoken(voice: str, count: int) -> Talk:
    """Return the sentences as flite says them."""
    if not shutil.which("flite"):
        sys.exit("flite is not installed")
    pcm, parts = b"", []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        for _, text in sentences()[:count]:
            subprocess.run(["flite", "-voice", voice, "-o", str(path), "-t", text], check=True)
            said = levelled(read_wav(path))
            said += bytes(-len(said) % (2 * EARS_HZ // 50))
            parts.append((text, len(pcm) // 2, (len(pcm) + len(said)) // 2))
            pcm += said
    return Talk(pcm, tuple(parts))


def opus(loss: float) -> Codec:
    encoder = Encoder(48_000, bitrate_bps=32_000, complexity=9, fec=True, expected_loss_percent=round(100 * loss))
    decoder = Decoder(24_000)

    def perform(step: Step) -> bytes:
        match step:
            case Play(payload):
                return decoder.decode(payload)
            case Recover(payload, ticks):
                return decoder.recover(payload, ticks // 2)
            case Conceal(ticks):
                return decoder.conceal(ticks // 2)
            case Silence(ticks):
                return bytes(2 * (ticks // 2))

    return Codec(48_000, 48_000, encoder.encode, opus_ticks, perform, 24_000, True)


def pcmu(loss: float) -> Codec:
    del loss  # nothing is done about it beforehand
    concealment = Concealment(8000)

    def perform(step: Step) -> bytes:
        match step:
            case Play(payload):
                return concealment.hear(ulaw_to_pcm(payload))
            case Conceal(ticks):
                return concealment.conceal(ticks)
            case Silence(ticks):
                return concealment.hear(bytes(2 * ticks))
            case Recover():
                raise AssertionError("there are no copies to recover from")

    return Codec(8000, 8000, pcm_to_ulaw, octet_ticks, perform, 8000, False)


def through(talk: Talk, codec: Codec, loss: float, jitter_ms: int, seed: int) -> tuple[bytes, Outcome]:
    """Send a talk over a link; return what was heard, at the codec's output rate, and what came of it but words."""
    pcm = resample(talk.pcm, EARS_HZ, codec.rate_hz)
    frame, ticks = 2 * codec.rate_hz // 50, codec.clock_hz // 50
    chance = random.Random(seed)
    events: list[tuple[float, Packet | None]] = []
    count = len(pcm) // frame
    for n in range(count):
        # A payload is known by its number, which a decoder never sees.
        payload = Payload(codec.encode(pcm[n * frame : (n + 1) * frame]))
        payload.number = n
        at = (n + 1) * 0.02
        delay = (LINK_MS + chance.random() * jitter_ms) / 1000
        if chance.random() >= loss:
            events.append((at + delay, Packet(0, n == 0, n & 0xFFFF, n * ticks, 1, payload)))
    events += [(0.003 + 0.02 * n, None) for n in range(count + 20)]
    reception = Reception(codec.clock_hz, codec.ticks, recovers=codec.has_copies)
    heard, delays, recovered, last = [], {}, 0, 0
    for now, packet in sorted(events, key=lambda event: event[0]):
        for step in reception.receive(packet, now) if packet else reception.receive_time(now):
            if isinstance(step, Play) and isinstance(step.payload, Payload):
                delays[step.payload.number] = 1000 * (now - (step.payload.number + 1) * 0.02)
                last = len(heard) + 1
            recovered += isinstance(step, Recover) and has_copy(step.payload)
            heard.append(codec.perform(step))
    out = b"".join(heard)
    # What came before the first packet and after the last is no part of the talk.
    first = min(delays)
    lead = round(codec.out_hz * 0.02 * first) * 2
    length = (lead + sum(map(len, heard[:last]))) / (2 * codec.out_hz * 0.02 * (max(delays) + 1))
    own = LINK_MS + jitter_ms / 2
    ends = int(ENDS_SECONDS / 0.02)

    def mean(numbers: range) -> float:
        return float(np.mean([delays[n] for n in numbers if n in delays])) - own

    share = (len(delays) + recovered) / count
    outcome = Outcome(
        100 * share,
        100 * length,
        mean(range(ends)),
        mean(range(count - ends, count)),
        max(delays.values()) - own,
        0.0,
    )
    return bytes(lead) + out, outcome


class Payload(bytes):
    """A payload that knows which it is."""

    number = -1


def measured(
    talk: Talk, make: Callable[[float], Codec], loss: float, jitter_ms: int, seed: int, asr: api.Decoder
) -> Outcome:
    codec = make(loss)
    heard, outcome = through(talk, codec, loss, jitter_ms, seed)
    ears = resample(heard, codec.out_hz, EARS_HZ)
    wrong = words = 0
    for text, begin, end in talk.parts:
        asr.start(Vocabulary())
        for at in range(2 * begin, 2 * end, 640):
            asr.feed(ears[at : at + 640])
        wrong += word_errors(text.split(), asr.finish().text.split())
        words += len(text.split())
    return outcome._replace(errors=100 * wrong / words)


def main() -> None:
    parser = argparse.ArgumentParser(description="What packet loss and jitter cost.")
    parser.add_argument("--quick", action="store_true", help="ten sentences, and jitter of 30 ms alone")
    parser.add_argument("--codec", choices=("opus", "pcmu", "both"), default="both")
    parser.add_argument("--voice", default="slt", help="a voice of flite's")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    talk = spoken(arguments.voice, 10 if arguments.quick else 1000)
    print(f"{len(talk.parts)} sentences, {len(talk.pcm) / 2 / EARS_HZ:.0f} s, flite {arguments.voice}\n")
    asr = SphinxAsr(exclude=held_out()).open()
    asr.prepare(Vocabulary())
    codecs = {"opus": opus, "pcmu": pcmu}
    head = f"{'codec':6} {'loss':>5} {'jitter':>7} {'out %':>7} {'length %':>9}"
    print(f"{head} {'delay start / end / worst ms':>29} {'WER %':>7}")
    for name in codecs if arguments.codec == "both" else (arguments.codec,):
        for jitter_ms in (30,) if arguments.quick else JITTERS_MS:
            for loss in LOSSES:
                row = measured(talk, codecs[name], loss, jitter_ms, arguments.seed, asr)
                delays = f"{row.start_ms:.1f} / {row.end_ms:.1f} / {row.worst_ms:.0f}"
                figures = f"{row.out:7.1f} {row.length:9.2f} {delays:>29} {row.errors:7.1f}"
                print(f"{name:6} {100 * loss:4.0f}% {jitter_ms:4d} ms {figures}", flush=True)
    asr.close()


if __name__ == "__main__":
    main()
