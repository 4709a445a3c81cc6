/** Text to audio at work: a text is spoken piece by piece, heard while that is done, and kept as a file. */

import { Sound } from "../audio/devices";
import { RATE } from "../audio/pcm";
import { NoAccess, type Refusal } from "../realtime/access";
import { type Chosen, place } from "./recorder";
import { piecesOf } from "./sentences";
import { speech } from "./rest";
import { Watched } from "./watched";
import { wavFile } from "./wav";

/** The longest text that is taken: about two hours of speech, or 300 MB. */
export const MOST_CHARACTERS = 100_000;
export const SPEEDS = [0.25, 4, 0.05] as const;
/** A request for each sentence would take its time, and one for everything would tell of no progress. */
const LEAST_PIECE = 200;
const MOST_PIECE = 1000;
/** What the loudspeaker is given ahead of its time. */
const STOCK_MS = 5000;

export interface Wanted {
  text: string;
  model: string;
  voice: string;
  speed: number;
}

export class Reader extends Watched {
  /** What the visitor wants read. */
  text = "";
  /** How fast; null for as fast as conversations, which know narrower bounds. */
  speed: number | null = null;
  isMaking = false;
  isPlaying = false;
  failure: { refusal: Refusal; message: string } | null = null;
  /** Whether this browser has nothing to play with. */
  isSilent = false;
  /** Characters that are spoken, and all that are to be. */
  progress = { done: 0, all: 0 };
  /** The address of the file, when it is complete or was ended. */
  file: string | null = null;
  private pieces: string[] = [];
  private spoken = 0;
  private wanted: Wanted | null = null;
  private sound: Sound | null = null;
  private sounds: Blob[] = [];
  private played = 0;
  private isFeeding = false;
  private hasEnded = false;
  private requests = new AbortController();

  constructor(private readonly chosen: Chosen) {
    super();
  }

  get isAtWork(): boolean {
    return this.isMaking || this.isPlaying;
  }

  /** How long the sound is that was made so far. */
  get madeMs(): number {
    return this.sounds.reduce((sum, { size }) => sum + size, 0) / 2 / (RATE / 1000);
  }

  /** Read a text; aloud when the visitor wants to hear it, and in either case into a file. */
  async start(wanted: Wanted, isAloud: boolean): Promise<void> {
    this.stop();
    this.forget();
    this.wanted = wanted;
    this.pieces = piecesOf(wanted.text, LEAST_PIECE, MOST_PIECE);
    this.progress = { done: 0, all: this.pieces.reduce((sum, piece) => sum + piece.length, 0) };
    this.isMaking = true;
    this.isPlaying = isAloud;
    this.changed();
    const { signal } = this.requests;
    if (isAloud) await this.open();
    if (signal.aborted) return;
    await this.make();
  }

  /** End the reading; what was made can be kept. */
  stop(): void {
    this.requests.abort();
    this.requests = new AbortController();
    this.silence();
    if (this.isMaking) this.complete();
    this.changed();
  }

  /** Go on where it failed. */
  retry(): void {
    if (this.failure === null || this.isMaking) return;
    this.failure = null;
    this.isMaking = true;
    if (this.file !== null) URL.revokeObjectURL(this.file);
    this.file = null;
    this.changed();
    void this.make();
  }

  /** Let what failed be. */
  dismiss(): void {
    this.failure = null;
    this.changed();
  }

  setVolume(volume: number): void {
    this.sound?.setVolume(volume);
  }

  choose(change: { text?: string; speed?: number }): void {
    Object.assign(this, change);
    this.changed();
  }

  private async make(): Promise<void> {
    const { signal } = this.requests;
    const { model, voice, speed } = this.wanted!;
    try {
      while (this.spoken < this.pieces.length) {
        const text = this.pieces[this.spoken]!;
        // A piece counts when it is whole: where it breaks off it is spoken anew.
        const made = this.sounds.length;
        try {
          for await (const pcm of speech({ model, voice, speed, text }, signal)) {
            if (signal.aborted) return;
            this.sounds.push(new Blob([pcm]));
            void this.feed();
            this.changed();
          }
        } catch (error) {
          if (!signal.aborted) {
            this.sounds.length = made;
            this.played = Math.min(this.played, made);
          }
          throw error;
        }
        if (signal.aborted) return;
        this.spoken += 1;
        this.progress = { ...this.progress, done: this.progress.done + text.length };
        this.changed();
      }
    } catch (error) {
      if (signal.aborted) return;
      const { refusal, message } = error instanceof NoAccess ? error : new NoAccess("refused", String(error));
      this.failure = { refusal, message };
    }
    this.complete();
    void this.feed();
    this.changed();
  }

  /** What was made becomes a file. */
  private complete(): void {
    this.isMaking = false;
    this.file = this.sounds.length === 0 ? null : URL.createObjectURL(wavFile(this.sounds));
  }

  private forget(): void {
    if (this.file !== null) URL.revokeObjectURL(this.file);
    this.file = null;
    this.failure = null;
    this.sounds = [];
    this.spoken = 0;
    this.played = 0;
    this.hasEnded = false;
  }

  // ------------------------------------------------------------------------------------------------------ the sound

  private async open(): Promise<void> {
    const { signal } = this.requests;
    try {
      const sound = await Sound.open();
      if (signal.aborted) return sound.close();
      this.sound = sound;
      place(sound, this.chosen);
      sound.onPlayback = (news) => {
        if (news.news !== "state" || sound !== this.sound) return;
        if (this.hasEnded && !news.isPlaying && news.played === null) this.silence();
        else if (news.stockMs < STOCK_MS) void this.feed();
      };
      this.isSilent = false;
    } catch {
      this.isSilent = true;
      this.isPlaying = false;
    }
  }

  /** Give the loudspeaker what comes next. */
  private async feed(): Promise<void> {
    const { sound } = this;
    if (sound === null || this.isFeeding || this.hasEnded) return;
    this.isFeeding = true;
    const next = this.sounds[this.played];
    if (next !== undefined) {
      this.played += 1;
      const pcm = new Int16Array(await next.arrayBuffer());
      if (sound === this.sound) sound.order({ order: "add", item: "text", part: 0, pcm });
    } else if (!this.isMaking && this.failure === null) {
      this.hasEnded = true;
      sound.order({ order: "end" });
    }
    this.isFeeding = false;
  }

  private silence(): void {
    const { sound } = this;
    this.sound = null;
    void sound?.close();
    this.isPlaying = false;
    this.changed();
  }
}
