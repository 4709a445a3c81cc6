/** A microphone that is recorded, in frames of 20 ms. */

import { type MicrophoneTrouble, type MicrophoneWishes, NoMicrophone, Sound } from "../audio/devices";
import { fromBase64 } from "../audio/pcm";
import type { Settings } from "../realtime/settings";

/** What the visitor chose for all ways of working. */
export interface Chosen {
  readonly settings: Settings;
  readonly microphoneId: string;
  readonly speakerId: string;
}

export const FRAME_MS = 20;

export function wishesOf({ settings, microphoneId }: Chosen): MicrophoneWishes {
  const { echoCancellation, noiseSuppression, autoGain } = settings;
  return { deviceId: microphoneId, echoCancellation, noiseSuppression, autoGain };
}

/** Have a sound heard as the visitor chose. */
export function place(sound: Sound, { settings, speakerId }: Chosen): void {
  sound.setVolume(settings.volume);
  // A loudspeaker that is gone is no reason to hear nothing.
  if (speakerId !== "") sound.playOn(speakerId).catch(() => {});
}

export function troubleOf(error: unknown): MicrophoneTrouble {
  return error instanceof NoMicrophone ? error.trouble : "failed";
}

/** What is recorded: nothing, but the moment before somebody begins, until it is begun. */
export class Recorder {
  /** Told when a recording has become as long as it may. */
  onFull: () => void = () => {};
  private frames: Int16Array<ArrayBuffer>[] = [];
  private isOn = false;

  /**
   * Take the frames of a sound's microphone.
   *
   * `leadMs` is what is kept of the time before the beginning, `mostMs` how long a recording may become.
   */
  constructor(
    sound: Sound,
    private readonly leadMs: number,
    private readonly mostMs: number,
  ) {
    sound.onFrame = (audio) => this.take(fromBase64(audio));
  }

  get ms(): number {
    return this.isOn ? this.frames.length * FRAME_MS : 0;
  }

  begin(): void {
    this.isOn = true;
  }

  /** End the recording, and return it. */
  finish(): Int16Array<ArrayBuffer>[] {
    const { frames } = this;
    this.frames = [];
    this.isOn = false;
    return frames;
  }

  private take(frame: Int16Array<ArrayBuffer>): void {
    this.frames.push(frame);
    if (!this.isOn && this.frames.length > this.leadMs / FRAME_MS) this.frames.shift();
    if (this.isOn && this.ms >= this.mostMs) this.onFull();
  }
}
