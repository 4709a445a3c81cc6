/** Listening to a talk again: both voices together, from any place, a little at a time so that hours need no memory. */

import { RATE } from "../audio/pcm";
import type { Talked } from "./recorder";
import { soundLength } from "./wav";

const PIECE = RATE / 2;
/** How much is handed to the browser ahead of time, and how often more of it. */
const AHEAD_SECONDS = 1.5;
const REFILL_MS = 250;
/** Before the first sample, so that it is not late. */
const LEAD_SECONDS = 0.03;

export class Listening {
  isPlaying = false;
  /** Whether the browser has no sound. */
  hasFailed = false;
  /** Told when playing begins or ends. */
  onChange: () => void = () => {};
  private readonly length: number;
  private context: AudioContext | null = null;
  private sources = new Set<AudioBufferSourceNode>();
  private timer: ReturnType<typeof setInterval> | undefined;
  /** Where the present stretch began, by the talk's clock and by the context's. */
  private begun = { place: 0, seconds: 0 };
  private handed = 0;
  private resting = 0;

  constructor(private readonly talk: Talked) {
    this.length = soundLength(talk);
  }

  /** The place that is heard now. */
  get place(): number {
    if (!this.isPlaying || this.context === null) return this.resting;
    const heard = (this.context.currentTime - this.begun.seconds) * RATE;
    return Math.min(this.length, this.begun.place + Math.max(0, heard));
  }

  play(from = this.place): void {
    this.rest(from >= this.length ? 0 : from);
    try {
      this.context ??= new AudioContext({ sampleRate: RATE });
    } catch {
      this.hasFailed = true;
      this.onChange();
      return;
    }
    void this.context.resume();
    this.isPlaying = true;
    // On a whole sample, so that no piece begins between two.
    const seconds = Math.ceil((this.context.currentTime + LEAD_SECONDS) * RATE) / RATE;
    this.begun = { place: this.resting, seconds };
    this.handed = this.resting;
    this.refill();
    this.timer = setInterval(() => this.refill(), REFILL_MS);
    this.onChange();
  }

  pause(): void {
    this.rest(this.place);
    this.onChange();
  }

  /** Go to a place, and play on from there if that is what was done. */
  seek(place: number): void {
    const to = Math.round(Math.min(this.length, Math.max(0, place)));
    if (this.isPlaying) this.play(to);
    else {
      this.resting = to;
      this.onChange();
    }
  }

  close(): void {
    this.rest(this.place);
    void this.context?.close();
    this.context = null;
  }

  private rest(place: number): void {
    clearInterval(this.timer);
    this.isPlaying = false;
    this.resting = Math.round(place);
    for (const source of this.sources) {
      source.onended = null;
      source.stop();
      source.disconnect();
    }
    this.sources.clear();
  }

  private refill(): void {
    const { context } = this;
    if (context === null) return;
    while (this.handed < this.length && this.handed < this.place + AHEAD_SECONDS * RATE) {
      const count = Math.min(PIECE, this.length - this.handed);
      this.hand(context, this.handed, count);
      this.handed += count;
    }
    if (this.place < this.length) return;
    this.rest(this.length);
    this.onChange();
  }

  private hand(context: AudioContext, from: number, count: number): void {
    const buffer = context.createBuffer(1, count, RATE);
    buffer.copyToChannel(together(this.talk, from, count), 0);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(context.destination);
    source.onended = () => this.sources.delete(source);
    source.start(this.begun.seconds + (from - this.begun.place) / RATE);
    this.sources.add(source);
  }
}

/** Return both voices as one, as they sounded in the room. */
export function together(talk: Pick<Talked, "user" | "assistant">, from: number, count: number): Float32Array<ArrayBuffer> {
  const [one, other] = [new Int16Array(count), new Int16Array(count)];
  talk.user.read(from, one);
  talk.assistant.read(from, other);
  const both = new Float32Array(count);
  for (let i = 0; i < count; i++) both[i] = Math.max(-1, Math.min(1, (one[i]! + other[i]!) / 32_768));
  return both;
}
