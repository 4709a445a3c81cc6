"""The input buffer counts ticks on one clock and gives back exactly what was said between two of them."""

from __future__ import annotations

import pytest

from vivavoce.core.buffer import InputBuffer
from vivavoce.core.formats import PCM_8K, PCM_16K, PCM_24K, PCMA, PCMU, AudioFormat

ROOM = 1_000_000


def pcm(first: int, samples: int) -> bytes:
    """Samples that count, so that any of them can be told from the others."""
    return b"".join((first + n).to_bytes(2, "little") for n in range(samples))


@pytest.mark.parametrize(("format_", "ticks"), [(PCM_24K, 2), (PCM_16K, 3), (PCM_8K, 6), (PCMU, 6), (PCMA, 6)])
def test_the_clock_counts_samples_of_every_format(format_: AudioFormat, ticks: int) -> None:
    buffer = InputBuffer(format_, ROOM)
    buffer.append(bytes(8 * format_.bytes_per_sample))
    assert (buffer.start, buffer.end) == (0, 8 * ticks)
    assert buffer.pending_ms == 8 * ticks / 48


def test_a_half_sample_waits_for_its_other_half() -> None:
    buffer = InputBuffer(PCM_24K, ROOM)
    assert buffer.append(b"\x01") == b""
    assert (buffer.end, buffer.pending_ms) == (0, 0)
    assert buffer.append(b"\x02\x03\x04\x05") == b"\x01\x02\x03\x04"
    assert buffer.append(b"") == b""
    assert buffer.append(b"\x06") == b"\x05\x06"
    assert buffer.take(0, buffer.end) == (b"\x01\x02\x03\x04\x05\x06", PCM_24K)


def test_g711_has_no_half_samples() -> None:
    buffer = InputBuffer(PCMU, ROOM)
    assert buffer.append(b"abc") == b"abc"
    assert buffer.end == 18


def test_taking_removes_everything_before_the_end_and_keeps_the_rest() -> None:
    buffer = InputBuffer(PCM_24K, ROOM)
    buffer.append(pcm(0, 10))
    buffer.append(pcm(10, 10))
    assert buffer.take(8, 30) == (pcm(4, 11), PCM_24K)
    assert (buffer.start, buffer.end) == (30, 40)
    assert buffer.take(0, 40) == (pcm(15, 5), PCM_24K)
    assert (buffer.start, buffer.end) == (40, 40)
    assert buffer.take(40, 40) == (b"", PCM_24K)


def test_taking_at_a_place_between_two_samples_ends() -> None:
    buffer = InputBuffer(PCM_24K, ROOM)
    buffer.append(pcm(0, 1))
    buffer.switch(PCMU)
    buffer.append(b"abcdef")  # from tick 2 on, six ticks each
    assert buffer.take(0, 18) == (b"ab", PCMU)
    assert buffer.start == 14
    assert buffer.take(14, 38) == (b"cdef", PCMU)


def test_across_a_change_of_format_the_later_part_is_kept() -> None:
    buffer = InputBuffer(PCM_24K, ROOM)
    buffer.append(pcm(0, 10))
    buffer.switch(PCM_16K)
    buffer.append(pcm(10, 10))
    assert buffer.take(0, buffer.end) == (pcm(10, 10), PCM_16K)


def test_what_was_heard_before_a_change_of_format_is_read_in_its_own() -> None:
    buffer = InputBuffer(PCM_24K, ROOM)
    buffer.append(pcm(0, 10))
    buffer.append(b"x")
    buffer.switch(PCMA)
    assert buffer.append(b"ab") == b"ab", "the half sample is not read in the new format"
    assert buffer.take(0, 20) == (pcm(0, 10), PCM_24K)


def test_neither_a_commit_nor_a_clear_sets_the_clock_back() -> None:
    buffer = InputBuffer(PCM_24K, ROOM)
    buffer.append(pcm(0, 2400))
    buffer.clear()
    assert (buffer.start, buffer.end, buffer.pending_ms) == (4800, 4800, 0)
    buffer.append(pcm(0, 2400))
    buffer.take(0, buffer.end)
    assert (buffer.end, buffer.pending_ms) == (9600, 0)
    buffer.append(pcm(0, 240))
    assert (buffer.end, buffer.pending_ms) == (10_080, 10)


def test_a_clear_forgets_the_half_sample() -> None:
    buffer = InputBuffer(PCM_24K, ROOM)
    buffer.append(b"\x01")
    buffer.clear()
    assert buffer.append(b"\x02\x03") == b"\x02\x03"


def test_there_is_room_for_what_is_not_held() -> None:
    buffer = InputBuffer(PCM_24K, 100)
    assert buffer.has_room(100)
    buffer.append(bytes(60))
    assert buffer.has_room(40)
    assert not buffer.has_room(41)
    buffer.take(0, 20)
    assert buffer.has_room(60)
    assert not buffer.has_room(61)
    buffer.clear()
    assert buffer.has_room(100)


def test_trimming_lets_go_of_whole_chunks_and_counts_them_as_written() -> None:
    buffer = InputBuffer(PCM_24K, 300)
    for n in range(3):
        buffer.append(pcm(n * 50, 50))
    buffer.trim(99)
    assert buffer.start == 0
    buffer.trim(100)
    assert buffer.start == 100
    assert buffer.has_room(100)
    buffer.trim(10_000)
    assert (buffer.start, buffer.end) == (300, 300)
    assert buffer.pending_ms == 300 / 48
