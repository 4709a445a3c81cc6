/** How likely the server takes it that somebody speaks, of late: an extension that is asked for while somebody looks. */

import { list, number, type ServerEvent } from "./wire";

/** What a client includes to be told, and the event that tells it. */
export const PROBABILITY = "input_audio_buffer.voice_probability";
/** The id of the request, which a server that does not know of it refuses. */
export const ASKED = "optional-voice";
/** What the picture shows. */
export const SHOWN_MS = 8000;
/** After which a server that has told nothing will not. */
const PATIENCE_MS = 4000;
const FRAME_MS = 32;

export interface VoiceFrame {
  /** Where it ends, by the server's clock of the microphone's sound. */
  endMs: number;
  probability: number;
}

export class VoiceWatch {
  /** The latest last. */
  frames: readonly VoiceFrame[] = [];
  frameMs = FRAME_MS;
  /** What the server compares with; null before it told. */
  threshold: number | null = null;
  /** When the latest frame was told, by the page's clock. */
  toldAt = 0;
  /** What was taken for turns; the last may go on. */
  private turns: { from: number; to: number | null }[] = [];
  private askedAt: number | null = null;
  private isRefused = false;

  /** The server was asked, on a new connection or an old one. */
  ask(now: number): void {
    this.askedAt = now;
    this.isRefused = false;
  }

  /** Nobody looks any more, or the connection is gone. */
  forget(): void {
    this.askedAt = null;
    this.frames = [];
    this.turns = [];
  }

  /** Whether it is clear that this server tells nothing. */
  isSilent(now: number): boolean {
    const isLate = this.askedAt !== null && now - this.askedAt > PATIENCE_MS && this.frames.length === 0;
    return this.isRefused || isLate;
  }

  /** Take in an event of the server. */
  receive(event: ServerEvent, now: number): void {
    if (event.type === "error") this.isRefused ||= isAbout(event);
    else if (event.type === "input_audio_buffer.speech_started") {
      this.turns = [...this.turns.slice(-9), { from: number(event.audio_start_ms) ?? 0, to: null }];
    } else if (event.type === "input_audio_buffer.speech_stopped") {
      const last = this.turns.at(-1);
      if (last !== undefined) last.to = number(event.audio_end_ms);
    } else if (event.type === PROBABILITY) this.told(event, now);
  }

  /** Whether a frame was taken for a part of a turn. */
  isTurn({ endMs }: VoiceFrame): boolean {
    return this.turns.some(({ from, to }) => endMs > from && (to === null || endMs <= to));
  }

  private told(event: ServerEvent, now: number): void {
    const endMs = number(event.audio_end_ms) ?? 0;
    this.frameMs = number(event.frame_ms) ?? FRAME_MS;
    this.threshold = number(event.threshold);
    this.toldAt = now;
    const probabilities = list(event.probabilities).map((one) => number(one) ?? 0);
    const told = probabilities.map((probability, i) => ({ endMs: endMs - (probabilities.length - 1 - i) * this.frameMs, probability }));
    // A clock that goes back is that of a new connection.
    const before = (this.frames.at(-1)?.endMs ?? 0) < endMs ? this.frames : [];
    this.frames = [...before, ...told].filter((frame) => frame.endMs > endMs - SHOWN_MS);
  }
}

function isAbout(event: ServerEvent): boolean {
  return (event.error as { event_id?: unknown } | undefined)?.event_id === ASKED;
}
