import { describe, expect, it } from "vitest";
import { Resampler } from "./resample";

function tone(rate: number, hertz: number, seconds: number, amplitude = 0.5): Float32Array {
  return Float32Array.from({ length: rate * seconds }, (_, n) => amplitude * Math.sin((2 * Math.PI * hertz * n) / rate));
}

function through(resampler: Resampler, input: Float32Array, block = 128): Float32Array {
  const parts: number[] = [];
  for (let i = 0; i < input.length; i += block) parts.push(...resampler.push(input.subarray(i, i + block)));
  return Float32Array.from(parts);
}

/** The difference from what was meant, in dB below it, away from the edges. */
function errorDb(got: Float32Array, meant: Float32Array): number {
  let error = 0;
  let power = 0;
  for (let n = 200; n < Math.min(got.length, meant.length) - 200; n++) {
    error += (got[n]! - meant[n]!) ** 2;
    power += meant[n]! ** 2;
  }
  return 10 * Math.log10(error / power);
}

function levelDb(samples: Float32Array): number {
  const middle = samples.subarray(400, samples.length - 400);
  return 10 * Math.log10(middle.reduce((sum, x) => sum + x * x, 0) / middle.length + 1e-20);
}

describe("Resampler", () => {
  it.each([
    [48_000, 24_000],
    [44_100, 24_000],
    [16_000, 24_000],
    [96_000, 24_000],
    [24_000, 44_100],
    [24_000, 48_000],
  ])("keeps tones of speech from %i to %i Hz", (from, to) => {
    for (const hertz of [120, 997, 3400, 6500]) {
      const got = through(new Resampler(from, to), tone(from, hertz, 0.5));
      expect(errorDb(got, tone(to, hertz, 0.5))).toBeLessThan(-60);
    }
  });

  it.each([44_100, 48_000, 96_000])("lets nothing of %i Hz fold back into what is sent", (rate) => {
    for (const hertz of [13_500, 15_000, 19_000]) {
      const got = through(new Resampler(rate, 24_000), tone(rate, hertz, 0.5));
      expect(levelDb(got)).toBeLessThan(-60);
    }
  });

  it("gives the same whatever the size of the blocks", () => {
    const input = tone(44_100, 440, 0.2);
    const whole = through(new Resampler(44_100, 24_000), input, input.length);
    const pieces = through(new Resampler(44_100, 24_000), input, 37);
    expect(pieces.length).toBe(whole.length);
    expect(Math.max(...pieces.map((x, n) => Math.abs(x - whole[n]!)))).toBeLessThan(1e-6);
  });

  it("passes sound of the same rate unchanged", () => {
    const input = tone(24_000, 440, 0.1);
    expect(through(new Resampler(24_000, 24_000), input)).toEqual(input);
  });

  it("makes as many samples as the rates say, over a long time", () => {
    const resampler = new Resampler(44_100, 24_000);
    let count = 0;
    for (let i = 0; i < 44_100; i++) count += resampler.push(new Float32Array(100)).length;
    expect(Math.abs(count - 24_000 * 100)).toBeLessThan(30);
  });

  it("begins anew after a reset", () => {
    const resampler = new Resampler(48_000, 24_000);
    const input = tone(48_000, 440, 0.1);
    const first = through(resampler, input);
    resampler.reset();
    expect(through(resampler, input)).toEqual(first);
  });
});
