/** The latest talks, kept in memory until the page is left. */

import { Recorder, type RecorderOptions, type Talked } from "./recorder";

const MOST_TALKS = 3;
const MIB = 1024 * 1024;
/** An hour with a microphone that is always on, and a voice that speaks half of the time. */
const ROOM = 256 * MIB;
/** Of devices with little memory: twenty minutes. */
const LITTLE_ROOM = 96 * MIB;
/** Gigabytes that a device has at least to be given the whole room; browsers tell no more than 8. */
const MUCH_MEMORY_GB = 8;

export class Shelf {
  /** The latest first. */
  talks: readonly Talked[] = [];
  private recording: Recorder | null = null;

  constructor(private readonly room = roomHere()) {}

  /** Begin to record a talk, for whose sake older ones may have to go. */
  begin(options: Omit<RecorderOptions, "claim">): Recorder {
    this.recording = new Recorder({ ...options, claim: (bytes) => this.claim(bytes) });
    return this.recording;
  }

  /** Keep a talk that is over, unless nothing happened in it. */
  keep(recorder: Recorder, at: number): void {
    if (this.recording === recorder) this.recording = null;
    const talked = recorder.finish(at);
    if (talked.entries.length > 0) this.talks = [talked, ...this.talks].slice(0, MOST_TALKS);
  }

  private claim(bytes: number): boolean {
    const own = this.recording?.bytes ?? 0;
    while (own + this.bytes + bytes > this.room) {
      if (this.talks.length === 0) return false;
      this.talks = this.talks.slice(0, -1);
    }
    return true;
  }

  private get bytes(): number {
    return this.talks.reduce((sum, talk) => sum + talk.user.bytes + talk.assistant.bytes, 0);
  }
}

function roomHere(): number {
  const memory = (globalThis.navigator as { deviceMemory?: number } | undefined)?.deviceMemory;
  // Browsers that do not say it are asked whether they are on a phone.
  const isLittle = memory === undefined ? globalThis.matchMedia?.("(pointer: coarse)").matches : memory < MUCH_MEMORY_GB;
  return isLittle ? LITTLE_ROOM : ROOM;
}
