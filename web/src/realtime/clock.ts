/** When each part of the microphone's sound was heard, by the position that it has at the server. */

const FRAME_MS = 20;
/** Five minutes; turns are shorter. */
const MOST = 15_000;

export class SentClock {
  private sent = 0;
  private readonly times: number[] = [];
  /** When a track began that runs without a break; null where sound is sent in frames. */
  private began: number | null = null;

  /** Note that a frame was sent, which was complete at that time. */
  sentFrame(now: number): void {
    this.times[this.sent % MOST] = now;
    this.sent += 1;
  }

  /** Begin anew: the server counts from zero on a new connection; for a track, from when it was connected. */
  reset(began: number | null = null): void {
    this.sent = 0;
    this.times.length = 0;
    this.began = began;
  }

  /** Return when the sample at a position was heard; null where that is not known. */
  timeOf(audioMs: number): number | null {
    if (this.began !== null) return this.began + audioMs;
    const frame = Math.ceil(audioMs / FRAME_MS) - 1;
    if (frame < 0 || frame >= this.sent || frame < this.sent - MOST) return null;
    return this.times[frame % MOST]! - ((frame + 1) * FRAME_MS - audioMs);
  }
}
