/** A talk as a WAV file: left the user as sent, right the assistant as played, on one clock. */

import { RATE } from "../audio/pcm";
import type { Talked } from "./recorder";

const HEADER_BYTES = 44;
const FRAME_BYTES = 4;
const PIECE = 2 * RATE;
/** Pieces that the browser is given at once: half a minute, after which they need no memory of the page. */
const PIECES = 15;

/** Return the header of a WAV file of so many frames of two channels with 16 bits. */
export function header(frames: number): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  const word = (at: number, letters: string) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  const dataBytes = frames * FRAME_BYTES;
  word(0, "RIFF");
  view.setUint32(4, HEADER_BYTES - 8 + dataBytes, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 2, true);
  view.setUint32(24, RATE, true);
  view.setUint32(28, RATE * FRAME_BYTES, true);
  view.setUint16(32, FRAME_BYTES, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, dataBytes, true);
  return view.buffer;
}

/** Return how much of a talk has sound. */
export function soundLength({ length, keptTo }: Pick<Talked, "length" | "keptTo">): number {
  return keptTo === null ? length : Math.min(length, keptTo);
}

/** Return both voices of a stretch, side by side. */
export function interleaved(talk: Pick<Talked, "user" | "assistant">, from: number, frames: number): Int16Array<ArrayBuffer> {
  const [left, right] = [new Int16Array(frames), new Int16Array(frames)];
  talk.user.read(from, left);
  talk.assistant.read(from, right);
  const both = new Int16Array(2 * frames);
  for (let i = 0; i < frames; i++) {
    both[2 * i] = left[i]!;
    both[2 * i + 1] = right[i]!;
  }
  return both;
}

/** Return the file. */
export function stereoWav(talk: Talked): Blob {
  const frames = soundLength(talk);
  const blobs: Blob[] = [new Blob([header(frames)])];
  let pieces: Int16Array<ArrayBuffer>[] = [];
  for (let from = 0; from < frames; from += PIECE) {
    pieces.push(interleaved(talk, from, Math.min(PIECE, frames - from)));
    if (pieces.length === PIECES) {
      blobs.push(new Blob(pieces));
      pieces = [];
    }
  }
  return new Blob([...blobs, ...pieces], { type: "audio/wav" });
}
