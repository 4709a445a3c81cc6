/**
 * Streaming change of sample rate: a windowed-sinc low-pass evaluated at fractional positions.
 *
 * Pure, so that the worklets and the tests share it.  The filter's phases are tabulated, and between two of them the
 * coefficients are interpolated, which keeps images below -80 dB at the ratios of real devices.
 */

const PHASES = 256;
/** Zero crossings of the sinc on each side of its middle. */
const CROSSINGS = 24;
const KAISER_BETA = 8;
/** Where the pass band ends, as a share of the lower rate's half. */
const ROLL_OFF = 0.94;

export class Resampler {
  /** Samples of input for one of output. */
  readonly step: number;
  private readonly half: number;
  private readonly taps: number;
  private readonly table: Float32Array;
  private held: Float32Array;
  private heldLength: number;
  /** Place of the next output sample in what is held, in samples of input. */
  private position: number;

  constructor(inputRate: number, outputRate: number) {
    this.step = inputRate / outputRate;
    const cutoff = this.step === 1 ? 1 : ROLL_OFF * Math.min(1, 1 / this.step);
    this.half = Math.ceil(CROSSINGS / cutoff);
    this.taps = 2 * this.half;
    this.table = phases(this.half, cutoff);
    this.held = new Float32Array(8 * this.taps);
    this.heldLength = 0;
    this.position = 0;
    this.reset();
  }

  /** How late the output is, in samples of input, because the filter looks ahead. */
  get delay(): number {
    return this.step === 1 ? 0 : this.half;
  }

  /** Forget everything heard before. */
  reset(): void {
    this.heldLength = this.half - 1;
    this.held.fill(0, 0, this.heldLength);
    this.position = this.half - 1;
  }

  /** Take samples in and return all that can be said of the output by now. */
  push(input: Float32Array): Float32Array {
    if (this.step === 1) return input.slice();
    this.hold(input);
    const last = this.heldLength - this.half - 1;
    const count = Math.max(0, Math.floor((last - this.position) / this.step) + 1);
    const output = new Float32Array(count);
    for (let n = 0; n < count; n++) {
      output[n] = this.at(this.position);
      this.position += this.step;
    }
    this.forget();
    return output;
  }

  private at(position: number): number {
    const whole = Math.floor(position);
    const phase = (position - whole) * PHASES;
    const below = Math.floor(phase);
    const share = phase - below;
    const first = whole - this.half + 1;
    const row = below * this.taps;
    let sum = 0;
    for (let k = 0; k < this.taps; k++) {
      const low = this.table[row + k]!;
      sum += this.held[first + k]! * (low + share * (this.table[row + this.taps + k]! - low));
    }
    return sum;
  }

  private hold(input: Float32Array): void {
    const needed = this.heldLength + input.length;
    if (needed > this.held.length) {
      const wider = new Float32Array(2 * needed);
      wider.set(this.held.subarray(0, this.heldLength));
      this.held = wider;
    }
    this.held.set(input, this.heldLength);
    this.heldLength = needed;
  }

  private forget(): void {
    const spent = Math.min(Math.floor(this.position) - this.half + 1, this.heldLength);
    if (spent <= 0) return;
    this.held.copyWithin(0, spent, this.heldLength);
    this.heldLength -= spent;
    this.position -= spent;
  }
}

/** The filter at every phase and one more, each row scaled to pass a constant unchanged. */
function phases(half: number, cutoff: number): Float32Array {
  const taps = 2 * half;
  const table = new Float32Array((PHASES + 1) * taps);
  for (let phase = 0; phase <= PHASES; phase++) {
    const row = table.subarray(phase * taps, (phase + 1) * taps);
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      const x = k - half + 1 - phase / PHASES;
      const value = cutoff * sinc(cutoff * x) * kaiser(x / half);
      row[k] = value;
      sum += value;
    }
    for (let k = 0; k < taps; k++) row[k]! /= sum;
  }
  return table;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function kaiser(x: number): number {
  return Math.abs(x) >= 1 ? 0 : bessel(KAISER_BETA * Math.sqrt(1 - x * x)) / bessel(KAISER_BETA);
}

/** The modified Bessel function of the first kind, of order zero, by its series. */
function bessel(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > 1e-12 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
