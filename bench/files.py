"""Speech as files, and recordings as text: what REST clients wait for, without the network.

python bench/files.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

from vivavoce.core.effects import Vocabulary
from vivavoce.core.settings import ServerVad
from vivavoce.engines.media import ENCODED, Media
from vivavoce.engines.reading import read_aloud
from vivavoce.engines.recording import RATE_HZ, Recording
from vivavoce.engines.registry import Choice, Engines, build

SHORT = "Hello, how can I help you today?"
CHAPTER = (
    "Good morning, everybody. Please turn on the lights in the kitchen and set a timer for ten minutes. "
    "What is the weather in Paris today? I would like a table for two at seven o'clock. "
)
BYTES_A_SECOND = 48_000


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(kind)[:2]) for kind in kinds)


async def given(pcm: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(pcm), 7_680):
        yield pcm[start : start + 7_680]


async def first_bytes(engines: Engines, media: Media, kind: str) -> float:
    """Seconds until the first bytes of a short text, when the process for it is ready."""
    assert engines.tts is not None
    begin = time.perf_counter()
    pcm = read_aloud(engines.tts, SHORT, "ash", 1.0)
    async with aclosing(pcm if kind == "pcm" else media.encode(kind, pcm)) as file:
        await anext(file)
        taken = time.perf_counter() - begin
        async for _ in file:
            pass
    await asyncio.sleep(0.4)  # the next process starts meanwhile
    return taken


async def speaking(engines: Engines, media: Media, pcm: bytes, repeats: int) -> None:
    seconds = len(pcm) / BYTES_A_SECOND
    print(f"{'format':<8} {'first bytes':>12} {'processor time for a second':>28} {'and to read it':>15} {'kbit/s':>7}")
    for kind in ("pcm", *ENCODED):
        await first_bytes(engines, media, kind)
        first = statistics.median([await first_bytes(engines, media, kind) for _ in range(repeats)])
        row = f"{kind:<8} {1000 * first:>9.1f} ms"
        if kind != "pcm":
            begin = processor_seconds()
            data = b"".join([piece async for piece in media.encode(kind, given(pcm))])
            written = processor_seconds() - begin
            begin = processor_seconds()
            with tempfile.TemporaryFile() as file:
                file.write(data)
                async with aclosing(media.decode(file, RATE_HZ)) as pieces:
                    async for _ in pieces:
                        pass
            taken = processor_seconds() - begin
            row += f" {1000 * written / seconds:>25.1f} ms {1000 * taken / seconds:>12.1f} ms"
            row += f" {len(data) * 8 / seconds / 1000:>7.0f}"
        print(row)


async def hearing(engines: Engines, media: Media, pcm: bytes) -> None:
    flac = b"".join([piece async for piece in media.encode("flac", given(pcm))])
    with tempfile.TemporaryFile() as file:
        file.write(flac)
        begin, begin_processor, first = time.perf_counter(), processor_seconds(), None
        recording = Recording(engines.hearing, Vocabulary(), ServerVad())
        count = 0
        async with aclosing(recording.stretches(media.decode(file, RATE_HZ))) as stretches:
            async for _ in stretches:
                first = first or time.perf_counter() - begin
                count += 1
    taken, used = time.perf_counter() - begin, processor_seconds() - begin_processor
    seconds = recording.duration_ms / 1000
    print(
        f"\nrecording of {seconds:.0f} s: {count} stretches, the first after {first or 0:.1f} s, "
        f"all after {taken:.1f} s; {used / seconds:.2f} s of processor time for a second; "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB with its decoders"
    )


async def main(quick: bool) -> None:
    engines, media = build(Choice(), datetime.now), Media()
    await engines.ready()
    assert engines.tts is not None
    print(f"load average {os.getloadavg()[0]:.1f}\n")
    chapter = CHAPTER * (3 if quick else 12)
    pcm = b"".join([piece async for piece in read_aloud(engines.tts, chapter, "ash", 1.0)])
    await speaking(engines, media, pcm, 3 if quick else 20)
    await hearing(engines, media, pcm)
    print(f"\nload average {os.getloadavg()[0]:.1f}")
    await media.close()
    await engines.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="half a minute instead of two and fewer repeats")
    asyncio.run(main(parser.parse_args().quick))
