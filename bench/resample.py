"""The resampler between every two usual rates: delay, pass band, images and aliases, time for 20 ms.

    python bench/resample.py [--quick] [FROM_HZ TO_HZ]

Levels are in dB against the tone that makes them, over a band up to 0.9 of the lower Nyquist frequency, which is named.
`cut` tells whether a stream comes out the same, bit for bit, in pieces of 10, 20 and 100 ms and of odd sizes as whole.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np

from vivavoce.audio.resample import Resampler, resample

RATES = (8000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000)
AMPLITUDE = 16_000
BRIDGED = tuple(itertools.permutations((8000, 24_000), 2)) + tuple(itertools.permutations((16_000, 24_000), 2))
PASSED = np.linspace(0.02, 0.9, 45)
FOLDED = (1.1, 1.15, 1.25, 1.5, 1.9)


def tone(hz: float, rate: int) -> bytes:
    t = np.arange(rate // 2) / rate
    return np.rint(AMPLITUDE * np.sin(2 * np.pi * hz * t)).astype("<i2").tobytes()


def settled(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(float)[1000:-1000]


def decibels(ratio: float) -> float:
    return 20 * float(np.log10(max(ratio, 1e-9)))


def gain_and_rest(hz: float, from_hz: int, to_hz: int) -> tuple[float, float]:
    """Return how loud a tone comes out, and how loud everything else is."""
    out = settled(resample(tone(hz, from_hz), from_hz, to_hz))
    t = np.arange(len(out)) / to_hz
    basis = np.stack([np.sin(2 * np.pi * hz * t), np.cos(2 * np.pi * hz * t)], 1)
    weights = np.linalg.lstsq(basis, out)[0]
    rest = np.sqrt(((out - basis @ weights) ** 2).mean() * 2)
    return decibels(np.hypot(*weights) / AMPLITUDE), decibels(rest / AMPLITUDE)


def is_cut_alike(from_hz: int, to_hz: int) -> bool:
    """Return whether noise comes out the same in pieces as whole, to its last sample."""
    noise = np.random.default_rng(1).integers(-32_768, 32_767, from_hz, np.int16).astype("<i2").tobytes()
    whole = resample(noise, from_hz, to_hz)
    for samples in (from_hz // 100, from_hz // 50, from_hz // 10, 1, 7, 161, 997):
        resampler = Resampler(from_hz, to_hz, trim_start=True)
        pieces = [resampler.push(noise[i : i + 2 * samples]) for i in range(0, len(noise), 2 * samples)]
        if b"".join((*pieces, resampler.flush())) != whole:
            return False
    return True


def microseconds(from_hz: int, to_hz: int) -> float:
    """Return the processor time of 20 ms, the best of several runs."""
    resampler = Resampler(from_hz, to_hz)
    chunk = tone(440, from_hz)[: 2 * (from_hz // 50)]
    best = float("inf")
    for _ in range(20):
        begin = time.thread_time()
        for _ in range(100):
            resampler.push(chunk)
        best = min(best, time.thread_time() - begin)
    return best * 1e4


def measure(from_hz: int, to_hz: int) -> str:
    nyquist = min(from_hz, to_hz) / 2
    passed = [gain_and_rest(share * nyquist, from_hz, to_hz) for share in PASSED]
    folded = [
        decibels(settled(resample(tone(share * nyquist, from_hz), from_hz, to_hz)).std() * np.sqrt(2) / AMPLITUDE)
        for share in FOLDED
        if to_hz < from_hz and share * nyquist < from_hz / 2
    ]
    ripple = max(abs(gain) for gain, _ in passed)
    images = max(rest for _, rest in passed)
    delay = Resampler(from_hz, to_hz).delay_samples
    return (
        f"{from_hz:>6} {to_hz:>6} {delay:>8} {1000 * delay / to_hz:>6.2f} {ripple:>9.3f} {PASSED[-1] * nyquist:>6.0f} "
        f"{images:>8.1f} {max(folded, default=float('-inf')):>8.1f} "
        f"{'same' if is_cut_alike(from_hz, to_hz) else 'OTHER':>6} {microseconds(from_hz, to_hz):>8.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="what resampling costs, and what it does to the sound")
    parser.add_argument("--quick", action="store_true", help="what a relay converts to the protocol's own rate, alone")
    parser.add_argument("rates", type=int, nargs="*", help="from and to, in Hz (default all pairs)")
    args = parser.parse_args()
    if len(args.rates) not in (0, 2):
        parser.error("two rates are needed, from and to")
    pairs = BRIDGED if args.quick else itertools.permutations(RATES, 2)
    chosen = [tuple(args.rates)] if args.rates else pairs
    print("  from     to  samples     ms  ripple dB  up to   images  aliases    cut  us/20 ms")
    for from_hz, to_hz in chosen:
        print(measure(from_hz, to_hz), flush=True)


if __name__ == "__main__":
    main()
