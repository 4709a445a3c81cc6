/** Recordings as this browser reads them, for servers that cannot. */

import { toPcm16 } from "../audio/pcm";
import { wavFile } from "./wav";

/** What recognisers hear anyway. */
const RATE = 16_000;

/** Return a recording as a WAV file of one channel; null where this browser cannot read it either. */
export async function smaller(file: Blob): Promise<Blob | null> {
  const context = new OfflineAudioContext(1, 1, RATE);
  let sound: AudioBuffer;
  try {
    sound = await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    return null;
  }
  const channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
  const mixed = new Float32Array(sound.length);
  for (const channel of channels) {
    for (let i = 0; i < mixed.length; i++) mixed[i]! += channel[i]! / channels.length;
  }
  return wavFile([toPcm16(mixed)], RATE);
}
