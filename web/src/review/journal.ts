/** All events of a talk as JSON lines, in their order and with their times; sound is named by its length. */

import { RATE } from "../audio/pcm";
import { text } from "../realtime/wire";

export type Side = "client" | "server" | "page";

interface Event {
  type: string;
  [field: string]: unknown;
}

/** Most that is kept: what hours of talking come to. */
const MOST_CHARACTERS = 24 * 1024 * 1024;
const APPEND = "input_audio_buffer.append";
const SOUND = /audio\.delta$|append$|retrieved$/;

export class Journal {
  private readonly written: string[] = [];
  private characters = 0;
  /** Whether there was no room for more. */
  isFull = false;
  /** Frames of the microphone that follow upon each other, which are one line. */
  private frames: { atMs: number; frames: number; audioMs: number } | null = null;

  constructor(private readonly most = MOST_CHARACTERS) {}

  add(from: Side, event: Event, atMs: number): void {
    if (event.type === APPEND) {
      this.frames ??= { atMs, frames: 0, audioMs: 0 };
      this.frames.frames += 1;
      this.frames.audioMs += lengthMs(text(event.audio));
      return;
    }
    this.endFrames();
    const shown = JSON.stringify(event, (name, value: unknown) => brief(event.type, name, value));
    this.write(from, shown, atMs);
  }

  /** Return everything as JSON lines. */
  lines(): string[] {
    this.endFrames();
    return this.written;
  }

  private endFrames(): void {
    if (this.frames === null) return;
    const { atMs, frames, audioMs } = this.frames;
    this.frames = null;
    this.write("client", JSON.stringify({ type: APPEND, frames, audio_ms: Math.round(audioMs) }), atMs);
  }

  private write(from: Side, event: string, atMs: number): void {
    const line = `{"at_ms":${atMs.toFixed(1)},"from":"${from}","event":${event}}\n`;
    this.isFull ||= this.characters + line.length > this.most;
    if (this.isFull) return;
    this.characters += line.length;
    this.written.push(line);
  }
}

/** Return how long sound in base64 is, in milliseconds. */
export function lengthMs(audio: string): number {
  const padding = audio.endsWith("==") ? 2 : audio.endsWith("=") ? 1 : 0;
  return (((audio.length / 4) * 3 - padding) / 2 / RATE) * 1000;
}

function brief(type: string, name: string, value: unknown): unknown {
  if (typeof value !== "string") return value;
  // A token takes up the conversation, and a journal is easily passed on.
  if (name === "token") return "...";
  const isSound = (name === "audio" || name === "delta") && SOUND.test(type);
  return isSound ? `(${Math.round(lengthMs(value))} ms of sound)` : value;
}
