/**
 * What is to be played, and exactly how much of it was: the whole of the playback worklet but its ports.
 *
 * Sound comes in pieces of 24 kHz, each of an item; it leaves at the device's rate.  Samples are counted at 24 kHz as
 * they leave, so that an interrupted answer can be cut where it fell silent, and what left is told as it came in, with
 * the time.  Playing begins when a little is in stock, or when no more will come; each gap raises what is asked to be in
 * stock, and a long time without one lowers it again.
 */

import { RATE } from "./pcm";
import { Resampler } from "./resample";

export interface Played {
  /** The item, and the part of its content, that the sound belongs to. */
  item: string;
  part: number;
  /** How much of it has left, in milliseconds. */
  ms: number;
}

export interface Flushed {
  /** What was playing; null where nothing was. */
  playing: Played | null;
  /** Items that were waiting and of which nothing was heard. */
  unheard: string[];
}

/** Sound that left. */
export interface Heard {
  item: string;
  part: number;
  /** As it came in. */
  samples: Float32Array;
  /** When its first sample left, in samples of 24 kHz by the clock of whoever pulls. */
  at: number;
}

interface Piece {
  item: string;
  part: number;
  samples: Float32Array;
  /** How many of them have gone into the resampler. */
  taken: number;
}

const BLOCK = 128;
const STOCK_MS = 60;
const MOST_STOCK_MS = 400;
const GAP_RAISES_MS = 40;
/** Seconds without a gap after which less needs to be in stock. */
const CALM_SECONDS = 10;
const CALM_LOWERS_MS = 10;
/** How long the sound takes to fade when it is cut off, which avoids a click. */
const FADE_MS = 4;

export class Playout {
  /** Gaps in the sound that the listener heard. */
  gaps = 0;
  private readonly pieces: Piece[] = [];
  private readonly resampler: Resampler;
  /** Samples at the device's rate that are ready to leave. */
  private ready: Float32Array = new Float32Array(0);
  private readyTaken = 0;
  private running = false;
  private complete = true;
  /** Whether the rest of an answer was got out of the filter. */
  private isDrained = false;
  private stockMs = STOCK_MS;
  private calmSamples = 0;
  private fade: Float32Array = new Float32Array(0);
  private fadeTaken = 0;
  /** What goes into the resampler, and how many samples of it have. */
  private current: { item: string; part: number; taken: number } | null = null;
  private lastSample = 0;
  /** What went into the resampler and has not left. */
  private readonly behind: Piece[] = [];
  /** When the sound began that has had no gap since, and how much has left, at the device's rate and at 24 kHz. */
  private run = { at: 0, left: 0, told: 0 };

  /** Play on a device of that rate, and tell what leaves. */
  constructor(
    private readonly deviceRate: number,
    private readonly onHeard: (heard: Heard) => void = () => {},
  ) {
    this.resampler = new Resampler(RATE, deviceRate);
  }

  /** What is in stock, in milliseconds. */
  get stock(): number {
    const waiting = this.pieces.reduce((sum, piece) => sum + piece.samples.length - piece.taken, 0);
    return (waiting / RATE + (this.ready.length - this.readyTaken) / this.deviceRate) * 1000;
  }

  get isPlaying(): boolean {
    return this.running;
  }

  /** What is being heard, and how much of it has been. */
  get played(): Played | null {
    if (this.current === null) return null;
    // What waits behind the filter has not been heard.
    const behind = (this.ready.length - this.readyTaken) / this.deviceRate + this.resampler.delay / RATE;
    const ms = (this.current.taken / RATE - behind) * 1000;
    return { item: this.current.item, part: this.current.part, ms: Math.max(0, ms) };
  }

  /** Take sound in. */
  add(item: string, part: number, samples: Float32Array): void {
    this.complete = false;
    if (samples.length > 0) this.pieces.push({ item, part, samples, taken: 0 });
  }

  /** Learn that no more is to be expected for now, so that a short answer need not wait for a stock. */
  end(): void {
    this.complete = true;
  }

  /** Fall silent at once, and tell where. */
  flush(): Flushed {
    const playing = this.played;
    const unheard = new Set(this.pieces.map((piece) => piece.item));
    if (playing !== null) unheard.delete(playing.item);
    if (this.running) this.fadeOut();
    this.pieces.length = 0;
    this.behind.length = 0;
    this.ready = new Float32Array(0);
    this.readyTaken = 0;
    this.current = null;
    this.running = false;
    this.complete = true;
    this.resampler.reset();
    return { playing, unheard: [...unheard] };
  }

  /** Fill a block that leaves at a time, in samples of the device's rate, and return whether it has sound. */
  pull(output: Float32Array, at = 0): boolean {
    if (!this.running && this.mayStart()) {
      this.running = true;
      this.run = { at: Math.round((at * RATE) / this.deviceRate), left: 0, told: 0 };
    }
    let filled = 0;
    let isDry = false;
    while (this.running && filled < output.length) {
      if (this.readyTaken === this.ready.length && !this.refill()) {
        isDry = true;
        break;
      }
      const count = Math.min(output.length - filled, this.ready.length - this.readyTaken);
      output.set(this.ready.subarray(this.readyTaken, this.readyTaken + count), filled);
      this.readyTaken += count;
      filled += count;
    }
    if (filled > 0) this.lastSample = output[filled - 1]!;
    this.run.left += filled;
    // Nothing of what is complete stays behind, though rounding may say so.
    this.tellHeard(isDry && this.complete ? Infinity : Math.floor(this.run.left * this.resampler.step) - this.run.told);
    if (isDry) this.dry();
    const sounded = filled > 0;
    for (; filled < output.length; filled++) output[filled] = this.fade[this.fadeTaken++] ?? 0;
    this.count(output.length, sounded);
    return sounded;
  }

  /** Tell that so many samples of what went into the resampler have left. */
  private tellHeard(count: number): void {
    for (let left = count; left > 0 && this.behind.length > 0; ) {
      const piece = this.behind[0]!;
      const samples = piece.samples.subarray(piece.taken, piece.taken + left);
      this.onHeard({ item: piece.item, part: piece.part, samples, at: this.run.at + this.run.told });
      piece.taken += samples.length;
      this.run.told += samples.length;
      left -= samples.length;
      if (piece.taken === piece.samples.length) this.behind.shift();
    }
  }

  private mayStart(): boolean {
    return this.pieces.length > 0 && (this.complete || this.stock >= this.stockMs);
  }

  /** Resample the next piece; false when there is none. */
  private refill(): boolean {
    for (;;) {
      const piece = this.pieces[0];
      if (piece === undefined) return this.drain();
      const samples = piece.samples.subarray(piece.taken, piece.taken + BLOCK);
      if (this.current?.item !== piece.item || this.current.part !== piece.part) {
        this.current = { item: piece.item, part: piece.part, taken: 0 };
      }
      piece.taken += samples.length;
      this.current.taken += samples.length;
      this.behind.push({ item: piece.item, part: piece.part, samples, taken: 0 });
      if (piece.taken === piece.samples.length) this.pieces.shift();
      this.ready = this.resampler.push(samples);
      this.readyTaken = 0;
      if (this.ready.length > 0) return true;
    }
  }

  /** Let out what the filter still holds of a complete answer; false when nothing is left. */
  private drain(): boolean {
    if (!this.complete || this.current === null || this.resampler.delay === 0) return false;
    if (this.isDrained) return false;
    this.isDrained = true;
    this.ready = this.resampler.push(new Float32Array(this.resampler.delay));
    this.readyTaken = 0;
    return this.ready.length > 0;
  }
  /** Nothing is left to play: the answer is over, or the network was too slow. */
  private dry(): void {
    this.running = false;
    if (this.complete) {
      this.current = null;
      this.resampler.reset();
    } else {
      this.gaps += 1;
      this.stockMs = Math.min(MOST_STOCK_MS, this.stockMs + GAP_RAISES_MS);
      this.calmSamples = 0;
      this.fadeOut();
    }
    this.isDrained = false;
  }

  private fadeOut(): void {
    const length = Math.round((FADE_MS / 1000) * this.deviceRate);
    this.fade = Float32Array.from({ length }, (_, i) => this.lastSample * (1 - (i + 1) / length));
    this.fadeTaken = 0;
  }

  private count(samples: number, sounded: boolean): void {
    if (!sounded) return;
    this.calmSamples += samples;
    if (this.calmSamples > CALM_SECONDS * this.deviceRate) {
      this.calmSamples = 0;
      this.stockMs = Math.max(STOCK_MS, this.stockMs - CALM_LOWERS_MS);
    }
  }
}
