/** WAV files: a RIFF header before the sound. */

import { RATE } from "../audio/pcm";

const HEADER_BYTES = 44;
const SAMPLE_BYTES = 2;

/** Return what stands before that many bytes of 16-bit sound of one channel. */
export function wavHeader(dataBytes: number, rate: number): Uint8Array<ArrayBuffer> {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  const name = (at: number, letters: string) => [...letters].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  name(0, "RIFF");
  // Of the whole file but these first two fields.
  header.setUint32(4, HEADER_BYTES - 8 + dataBytes, true);
  name(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);
  header.setUint16(22, 1, true);
  header.setUint32(24, rate, true);
  header.setUint32(28, rate * SAMPLE_BYTES, true);
  header.setUint16(32, SAMPLE_BYTES, true);
  header.setUint16(34, 8 * SAMPLE_BYTES, true);
  name(36, "data");
  header.setUint32(40, dataBytes, true);
  return new Uint8Array(header.buffer);
}

/** Return a file with pieces of sound, little-endian as it travels. */
export function wavFile(pieces: readonly (Int16Array<ArrayBuffer> | Blob)[], rate = RATE): Blob {
  const bytes = pieces.reduce((sum, piece) => sum + ("size" in piece ? piece.size : piece.byteLength), 0);
  return new Blob([wavHeader(bytes, rate), ...pieces], { type: "audio/wav" });
}
