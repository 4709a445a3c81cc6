/** The microphone's worklet: any rate in, frames of PCM16 at 24 kHz out. */

import { RATE, toPcm16 } from "./pcm";
import { Resampler } from "./resample";

/** 20 ms. */
const FRAME = RATE / 50;

/** A frame, and when its first sample was heard, in samples of 24 kHz by the context's clock. */
export interface Captured {
  pcm: Int16Array;
  at: number;
}

class Capture extends AudioWorkletProcessor {
  private readonly resampler = new Resampler(sampleRate, RATE);
  private readonly frame = new Float32Array(FRAME);
  private filled = 0;
  /** Samples of the device that were taken in, and those before and between that no microphone gave. */
  private taken = 0;
  private missed = 0;
  /** Frames that were posted. */
  private posted = 0;

  process(inputs: Float32Array[][]): boolean {
    const input = inputs[0]?.[0];
    if (input === undefined) return true;
    this.missed = currentFrame - this.taken;
    this.taken += input.length;
    const samples = this.resampler.push(input);
    for (let taken = 0; taken < samples.length; ) {
      const count = Math.min(FRAME - this.filled, samples.length - taken);
      this.frame.set(samples.subarray(taken, taken + count), this.filled);
      taken += count;
      this.filled += count;
      if (this.filled === FRAME) this.post();
    }
    return true;
  }

  private post(): void {
    const pcm = toPcm16(this.frame);
    const at = Math.round(this.missed / this.resampler.step) + this.posted * FRAME;
    this.posted += 1;
    this.filled = 0;
    this.port.postMessage({ pcm, at } satisfies Captured, [pcm.buffer]);
  }
}

registerProcessor("capture", Capture);
