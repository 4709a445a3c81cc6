"""The embedded voice: time to the first audio, processor time of children and parent, pitch and level of each voice.

python bench/synthesis.py
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import time
from contextlib import aclosing
from pathlib import Path

import numpy as np

from vivavoce.engines.espeak import VOICES, EspeakTts

SHORT = "Hello, how can I help you today?"
TEXT = (
    "The quick brown fox jumps over the lazy dog. Please check the church chimes, jet fuel, and six thirsty boys! "
    "What is the weather like in Boston today? One two three four five six seven eight nine ten."
)
CHAPTER = "This is a sentence of a long chapter, which somebody else is listening to at the same time. " * 2000


def milliseconds(samples: list[float]) -> str:
    ordered = sorted(samples)
    return (
        f"median {1000 * statistics.median(ordered):.2f} ms, p95 {1000 * ordered[int(len(ordered) * 0.95)]:.2f} ms, "
        f"max {1000 * ordered[-1]:.2f} ms"
    )


async def first_audio(tts: EspeakTts, voice: str = "alloy") -> float:
    begin = time.perf_counter()
    async with aclosing(tts.speak(SHORT, voice, 1.0)) as speech:
        await anext(speech)
        return time.perf_counter() - begin


async def latency(tts: EspeakTts) -> None:
    begin = time.perf_counter()
    await tts.ready()
    print(f"ready in {1000 * (time.perf_counter() - begin):.0f} ms")
    print("first audio, one voice:        ", milliseconds([await first_audio(tts) for _ in range(200)]))
    voices = list(VOICES) * 20
    print("first audio, voices in turn:   ", milliseconds([await first_audio(tts, voice) for voice in voices]))
    for rivals in (1, 4):
        tasks = [asyncio.create_task(consume(tts, CHAPTER)) for _ in range(rivals)]
        await asyncio.sleep(0.2)
        print(f"first audio beside {rivals} chapters: ", milliseconds([await first_audio(tts) for _ in range(50)]))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    begin = time.perf_counter()
    await asyncio.gather(*(consume(tts, TEXT) for _ in range(50)))
    print(f"50 texts of 18 s at once:       {1000 * (time.perf_counter() - begin):.0f} ms together")


async def consume(tts: EspeakTts, text: str, voice: str = "alloy") -> bytes:
    return b"".join([speech.pcm async for speech in tts.speak(text, voice, 1.0)])


async def cost(rounds: int = 30) -> None:
    tts = EspeakTts(processes=1)
    await tts.ready()
    samples = 0
    begin = time.process_time()
    for _ in range(rounds):
        samples += len(await consume(tts, TEXT)) // 2
    parent = time.process_time() - begin
    memory = child_memory_mb()
    await tts.close()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = samples / tts.rate_hz
    print(f"parent: {1e6 * parent / seconds:.0f} us of processor time for a second of speech")
    print(f"child:  {1e6 * (children.ru_utime + children.ru_stime) / seconds:.0f} us, its start included")
    print(f"child:  {memory:.0f} MB resident")


def child_memory_mb() -> float:
    """Return what the children of this process hold (Linux; elsewhere 0)."""
    kilobytes = 0
    for listing in Path("/proc/self/task").glob("*/children"):
        for pid in listing.read_text().split():
            status = Path(f"/proc/{pid}/status").read_text()
            kilobytes += int(status.split("VmRSS:")[1].split()[0])
    return kilobytes / 1024


def pitch_hz(samples: np.ndarray, rate_hz: int) -> float:
    """Return the median of the fundamental frequency where there is one, by autocorrelation."""
    found = []
    for at in range(0, len(samples) - 1024, 441):
        window = samples[at : at + 1024] - samples[at : at + 1024].mean()
        correlation = np.correlate(window, window, "full")[1023:]
        low, high = rate_hz // 350, rate_hz // 60
        lag = low + int(np.argmax(correlation[low:high]))
        if correlation[0] > 1e9 and correlation[lag] > 0.5 * correlation[0]:
            found.append(rate_hz / lag)
    return statistics.median(found)


def speech_dbfs(samples: np.ndarray) -> float:
    """Return the level of what is speech: 20 ms frames within 26 dB of the loudest."""
    power = (samples[: len(samples) // 441 * 441].reshape(-1, 441) ** 2).mean(axis=1)
    return 10 * float(np.log10(power[power > power.max() / 400].mean() / 32_768**2))


async def voices() -> None:
    tts = EspeakTts()
    print("voice      F0 Hz  seconds  level dBFS  peak dBFS")
    for voice in VOICES:
        samples = np.frombuffer(await consume(tts, TEXT, voice), "<i2").astype(float)
        peak = 20 * np.log10(np.abs(samples).max() / 32_768)
        print(
            f"{voice:8} {pitch_hz(samples, tts.rate_hz):>7.0f} {len(samples) / tts.rate_hz:>8.2f} "
            f"{speech_dbfs(samples):>11.1f} {peak:>10.1f}"
        )
    await tts.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description="what the embedded voices cost, and what they are like")
    parser.add_argument("--quick", action="store_true", help="costs alone, not each voice")
    args = parser.parse_args()
    await cost()
    tts = EspeakTts()
    await latency(tts)
    await tts.close()
    if not args.quick:
        await voices()


if __name__ == "__main__":
    asyncio.run(main())
