/**
 * One voice of a talk, kept as it was: 16 bits at 24 kHz, by its place on the talk's clock.
 *
 * The clock counts samples.  Where nothing was said there is nothing in memory, and silence is read.
 */

import { RATE } from "../audio/pcm";

export interface Span {
  from: number;
  to: number;
}

interface Run {
  at: number;
  /** Samples of the track before this run. */
  before: number;
  length: number;
}

/** Two thirds of a second: short answers waste little of a page. */
const PAGE = 16_384;
/** 10 ms, of which the loudest sample is known without looking. */
const BUCKET = RATE / 100;

export class Track {
  /** Where the last sample ends. */
  end = 0;
  /** How many samples were taken in, kept or not. */
  count = 0;
  /** Where the room ended, from where on no sound is kept; null while there is room. */
  keptTo: number | null = null;
  private readonly pages = new Map<number, Int16Array>();
  private readonly runs: Run[] = [];
  private loudest = new Uint8Array(4096);

  /** Keep sound as long as `claim` grants memory, in bytes. */
  constructor(private readonly claim: (bytes: number) => boolean) {}

  /** Memory that the sound takes. */
  get bytes(): number {
    return this.pages.size * PAGE * 2;
  }

  /** Take sound in that begins at a place; it never begins before the end of what was there. */
  add(at: number, pcm: Int16Array): Span {
    const from = Math.max(at, this.end);
    const to = from + pcm.length;
    const last = this.runs.at(-1);
    if (last !== undefined && last.at + last.length === from) last.length += pcm.length;
    else this.runs.push({ at: from, before: this.count, length: pcm.length });
    this.count += pcm.length;
    this.end = to;
    // Silence is what an empty page reads as.
    if (pcm.some((sample) => sample !== 0)) this.keep(from, pcm);
    return { from, to };
  }

  /** Return the place of the sample of that number, counted over all that was taken in. */
  placeOf(number: number): number {
    let low = 0;
    let high = this.runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.runs[middle]!.before <= number) low = middle + 1;
      else high = middle;
    }
    const run = this.runs[low - 1];
    return run === undefined ? 0 : run.at + Math.min(run.length, Math.max(0, number - run.before));
  }

  /** Fill an array with the sound from a place on. */
  read(from: number, into: Int16Array): void {
    into.fill(0);
    for (let done = 0; done < into.length; ) {
      const place = from + done;
      const offset = ((place % PAGE) + PAGE) % PAGE;
      const count = Math.min(PAGE - offset, into.length - done);
      const page = this.pages.get(Math.floor(place / PAGE));
      if (page !== undefined) into.set(page.subarray(offset, offset + count), done);
      done += count;
    }
  }

  /** Return the loudest of each of so many columns of a stretch, from 0 to 1. */
  peaks(from: number, to: number, columns: number): Float32Array {
    const peaks = new Float32Array(columns);
    const width = (to - from) / columns;
    const isFine = width < 2 * BUCKET;
    const samples = isFine ? new Int16Array(Math.max(0, Math.ceil(to) - Math.floor(from))) : null;
    if (samples !== null) this.read(Math.floor(from), samples);
    for (let column = 0; column < columns; column++) {
      const begin = from + column * width;
      peaks[column] =
        samples === null
          ? this.loudestOf(Math.floor(begin / BUCKET), Math.ceil((begin + width) / BUCKET))
          : loudest(samples, Math.floor(begin) - Math.floor(from), Math.ceil(begin + width) - Math.floor(from));
    }
    return peaks;
  }

  private loudestOf(first: number, end: number): number {
    let most = 0;
    for (let bucket = Math.max(0, first); bucket < Math.min(end, this.loudest.length); bucket++) {
      most = Math.max(most, this.loudest[bucket]!);
    }
    return most / 255;
  }

  private keep(from: number, pcm: Int16Array): void {
    for (let done = 0; done < pcm.length; ) {
      const place = from + done;
      const number = Math.floor(place / PAGE);
      const offset = place - number * PAGE;
      const count = Math.min(PAGE - offset, pcm.length - done);
      const page = this.page(number, place);
      if (page === null) return;
      page.set(pcm.subarray(done, done + count), offset);
      done += count;
    }
    this.measure(from, pcm);
  }

  private page(number: number, place: number): Int16Array | null {
    const found = this.pages.get(number);
    if (found !== undefined) return found;
    if (this.keptTo === null && !this.claim(PAGE * 2)) this.keptTo = place;
    // A talk of which pieces are missing would be worse than one that ends.
    if (this.keptTo !== null) return null;
    const page = new Int16Array(PAGE);
    this.pages.set(number, page);
    return page;
  }

  private measure(from: number, pcm: Int16Array): void {
    const needed = Math.floor((from + pcm.length) / BUCKET) + 1;
    if (needed > this.loudest.length) {
      const longer = new Uint8Array(2 * needed);
      longer.set(this.loudest);
      this.loudest = longer;
    }
    for (let i = 0; i < pcm.length; i++) {
      const bucket = Math.floor((from + i) / BUCKET);
      const level = Math.abs(pcm[i]!) >> 7;
      if (level > this.loudest[bucket]!) this.loudest[bucket] = Math.min(255, level);
    }
  }
}

function loudest(samples: Int16Array, from: number, to: number): number {
  let most = 0;
  for (let i = Math.max(0, from); i < Math.min(to, samples.length); i++) most = Math.max(most, Math.abs(samples[i]!));
  return Math.min(1, most / 32_768);
}
