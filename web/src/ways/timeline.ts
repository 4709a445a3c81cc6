/**
 * When something was said, by the time since recording began.
 *
 * Servers count the sound of each connection from zero, and frames that were lost on the way not at all.
 */

const FRAME_MS = 20;

export class Timeline {
  /** Where what the server counts and what was recorded part anew: frames of both, in order. */
  private runs: { sent: number; recorded: number }[] = [];
  private sent = 0;
  private last = 0;

  /** A connection begins. */
  connect(): void {
    this.runs = [];
    this.sent = 0;
  }

  /** A frame was sent: the one that was recorded as that many after the first. */
  sentFrame(recorded: number): void {
    const run = this.runs.at(-1);
    if (run === undefined || recorded - run.recorded !== this.sent - run.sent) this.runs.push({ sent: this.sent, recorded });
    this.sent += 1;
    this.last = recorded + 1;
  }

  /** Return the time of recording that the server calls by another. */
  recordedMs(serverMs: number): number {
    const run = this.runs.findLast(({ sent }) => sent * FRAME_MS <= serverMs);
    return run === undefined ? Math.max(0, serverMs) : serverMs + (run.recorded - run.sent) * FRAME_MS;
  }

  /** The end of what was sent so far. */
  get endMs(): number {
    return this.last * FRAME_MS;
  }
}
