"""Sound as bytes: levels, G.711, rate conversion, WAV files and playout.  Pure.

Audio is always s16le mono `bytes` with its rate stated beside it.

| module | noun |
|---|---|
| `pcm` | level, gain, silence, durations |
| `g711` | u-law and A-law to PCM and back |
| `resample` | `Resampler`: another rate, streaming |
| `wav` | `WavWriter`, `read_wav` |
| `playout` | `Playout`: PCM in, 20 ms frames out, and what was heard |
"""
