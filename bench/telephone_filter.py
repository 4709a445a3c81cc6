"""What resampling does to telephone sound: the response from 8 to 24 to 8 kHz, and what it adds.

    python bench/telephone_filter.py [--svg docs/images/telephone-filter.svg]

Tones are sent through the filters that the media process has (`audio.batch`), 20 ms at a time:

    response  of 8 kHz through 24 kHz and back, over the frequency of the tone
    images    the strongest of what a tone at 8 kHz brings forth above 4 kHz when it comes to 24 kHz
    aliases   the strongest of what a tone at 24 kHz above 4 kHz leaves below 3.4 kHz when it comes to 8 kHz

All in dB against the tone.  With `--svg` they are drawn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vivavoce.audio.batch import BatchResampler

Curve = list[tuple[float, float]]
AMPLITUDE = 16_000.0
SECONDS = 1.0
FLOOR_DB = -120.0
SPEECH_HZ = 3400
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 860, 420, 60, 50, 20
COLOURS = {"response": "#0f766e", "images": "#b45309", "aliases": "#7c3aed"}


def tone(hz: float, rate_hz: int) -> npt.NDArray[np.float64]:
    wave: npt.NDArray[np.float64] = AMPLITUDE * np.sin(2 * np.pi * hz * np.arange(int(SECONDS * rate_hz)) / rate_hz)
    return wave


def resampled(samples: npt.NDArray[np.float64], from_hz: int, to_hz: int) -> npt.NDArray[np.float64]:
    resampler = BatchResampler(from_hz, to_hz, 1)
    row, size = np.array([0]), from_hz // 50
    frames = [resampler.push(row, samples[None, at : at + size]) for at in range(0, len(samples), size)]
    return np.concatenate(frames, axis=1)[0].astype(float)


def spectrum(samples: npt.NDArray[np.float64], rate_hz: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return frequencies and levels in dB against a tone of full amplitude, without the beginning and the end."""
    middle = samples[rate_hz // 10 : -rate_hz // 10]
    window = np.blackman(len(middle))
    levels = np.abs(np.fft.rfft(middle * window)) / (window.sum() / 2) / AMPLITUDE
    return np.fft.rfftfreq(len(middle), 1 / rate_hz), 20 * np.log10(np.maximum(levels, 10 ** (FLOOR_DB / 20)))


def measured() -> dict[str, Curve]:
    curves: dict[str, Curve] = {"response": [], "images": [], "aliases": []}
    for hz in [50.0, *np.arange(100.0, 4000.0, 50.0)]:
        up = resampled(tone(hz, 8000), 8000, 24_000)
        frequencies, levels = spectrum(up, 24_000)
        curves["images"].append((hz, float(levels[frequencies > 4000 + max(0.0, hz - 3950)].max())))
        frequencies, levels = spectrum(resampled(up, 24_000, 8000), 8000)
        curves["response"].append((hz, float(levels[np.abs(frequencies - hz) < 10].max())))
    for hz in np.arange(4050.0, 11_950.0, 50.0):
        frequencies, levels = spectrum(resampled(tone(hz, 24_000), 24_000, 8000), 8000)
        curves["aliases"].append((hz, float(levels[frequencies <= SPEECH_HZ].max())))
    return curves


def drawn(curves: dict[str, Curve]) -> str:
    """Return a picture of the curves."""

    def place(hz: float, level: float) -> str:
        x = LEFT + hz / 12_000 * (WIDTH - LEFT - 20)
        return f"{x:.1f},{TOP + -level / -FLOOR_DB * (HEIGHT - TOP - BOTTOM):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="13"><title>Response, images and aliases from 8 to 24 to 8 kHz</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for level in range(0, int(FLOOR_DB) - 1, -20):
        (x, y), (end, _) = (place(0, level).split(","), place(12_000, level).split(","))
        parts.append(f'<path d="M{x} {y}H{end}" stroke="#d4d4d8"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{float(y) + 4:.0f}" text-anchor="end" fill="#3f3f46">{level}</text>')
    for khz in range(13):
        x, y = place(1000 * khz, FLOOR_DB).split(",")
        parts.append(f'<path d="M{x} {TOP}V{y}" stroke="#e4e4e7"/>')
        parts.append(f'<text x="{x}" y="{float(y) + 20:.0f}" text-anchor="middle" fill="#3f3f46">{khz}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle" fill="#3f3f46">tone, kHz</text>')
    parts.append('<text x="8" y="14" fill="#3f3f46">dB</text>')
    for n, (name, curve) in enumerate(curves.items()):
        points = " ".join(place(*point) for point in curve)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
        parts.append(f'<text x="{WIDTH - 110}" y="{TOP + 40 + 20 * n}" fill="{COLOURS[name]}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description="What resampling does to telephone sound.")
    parser.add_argument("--svg", type=Path, help="file to draw the curves into")
    arguments = parser.parse_args()
    curves = measured()
    response, images, aliases = (dict(curves[name]) for name in ("response", "images", "aliases"))
    delay = 1000 * (BatchResampler(8000, 24_000, 1).delay_samples / 24_000)
    back = 1000 * (BatchResampler(24_000, 8000, 1).delay_samples / 8000)
    print(f"delay {delay:.1f} + {back:.1f} ms")
    print("response, dB: " + ", ".join(f"{hz} Hz {response[hz]:.2f}" for hz in (50, 300, 1000, 3000, 3400, 3600, 3800)))
    print(f"ripple up to {SPEECH_HZ} Hz: {max(abs(v) for hz, v in response.items() if hz <= SPEECH_HZ):.3f} dB")
    print(f"images of tones up to {SPEECH_HZ} Hz: {max(v for hz, v in images.items() if hz <= SPEECH_HZ):.1f} dB")
    print(f"aliases of tones from 4600 Hz on: {max(v for hz, v in aliases.items() if hz >= 4600):.1f} dB")
    if arguments.svg:
        arguments.svg.write_text(drawn(curves))
        print(f"drawn into {arguments.svg}")


if __name__ == "__main__":
    main()
