"""A sender and a network for tests of reception, all on a clock of their own."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from vivavoce.rtp.packet import Packet
from vivavoce.rtp.reception import Conceal, Play, Recover, Silence

SSRC = 0x1234_5678


class Sent(NamedTuple):
    at: float
    packet: Packet


def speech(count, *, clock_hz=8000, packet_ms=20, sequence=100, timestamp=1000, gaps=(), ssrc=SSRC, numbered_from=0):
    """Packets as they are sent, one after the other; `gaps` maps the index of a packet to silent ms before it."""
    gaps = dict(gaps)
    ticks = clock_hz * packet_ms // 1000
    at, time, sent = 0.0, timestamp, []
    for index in range(count):
        silent_ms = gaps.get(index, 0)
        at += silent_ms / 1000
        time += silent_ms * clock_hz // 1000
        at += packet_ms / 1000
        payload = (numbered_from + index).to_bytes(4, "big").ljust(ticks, b"\0")
        sent.append(Sent(at, Packet(0, silent_ms > 0, sequence + index & 0xFFFF, time & 0xFFFF_FFFF, ssrc, payload)))
        time += ticks
    return sent


def number(step):
    return int.from_bytes(step.payload[:4], "big")


def through(reception, arrivals, until=None):
    """Give packets as they arrive, and a tick every 20 ms; return the steps with their times."""
    events = sorted(((at, 0, index, packet) for index, (at, packet) in enumerate(arrivals)), key=lambda e: e[:3])
    end = until if until is not None else (events[-1][0] + 0.25 if events else 0.0)
    ticks = [(0.001 + n * 0.02, 1, n, None) for n in range(int(end / 0.02) + 1)]
    out = []
    for at, _, _, packet in sorted([*events, *ticks], key=lambda e: e[:3]):
        steps = reception.receive_time(at) if packet is None else reception.receive(packet, at)
        out += [(at, step) for step in steps]
    return out


def played(out):
    return [number(step) for _, step in out if isinstance(step, Play)]


def ticks_of(step, packet_ticks=160):
    if isinstance(step, Play):
        return len(step.payload)
    assert isinstance(step, Recover | Conceal | Silence)
    return step.clock_ticks


def total(out):
    return sum(ticks_of(step) for _, step in out)


def delayed(sent, seed, *, loss=0.0, jitter=0.0, duplicates=0.0, stalls=()):
    """What arrives of what was sent, and when: a delay of 10 ms and jitter; during stalls nothing gets through."""
    chance = Random(seed)
    arrivals = []
    for at, packet in sent:
        if chance.random() < loss:
            continue
        arrival = at + 0.01 + chance.random() * jitter
        for begin, end in stalls:
            if begin <= arrival < end:
                arrival = end + (arrival - begin) * 1e-3
        arrivals.append((arrival, packet))
        if chance.random() < duplicates:
            arrivals.append((arrival + chance.random() * 0.1, packet))
    return arrivals
