/** Where the time of a turn went, by the page's own clock in milliseconds. */

export const STEPS = ["stopped", "committed", "transcribed", "created", "firstToken", "firstAudio", "firstSound"] as const;
export type Step = (typeof STEPS)[number];

export interface Turn {
  id: string;
  kind: "spoken" | "pushed" | "typed" | "recorded";
  /** When the user's last word ended, the key was let go, the recording or the text was sent. */
  end: number;
  at: Partial<Record<Step, number>>;
}

export interface Bar {
  step: Step;
  /** Milliseconds after the user's last word at which the step before it was taken. */
  from: number;
  to: number;
}

/** Return the steps that were taken, in the order in which they were. */
export function bars(turn: Turn): Bar[] {
  const taken = STEPS.filter((step) => turn.at[step] !== undefined)
    .map((step) => ({ step, to: Math.max(0, turn.at[step]! - turn.end) }))
    .sort((a, b) => a.to - b.to || STEPS.indexOf(a.step) - STEPS.indexOf(b.step));
  return taken.map(({ step, to }, i) => ({ step, from: i === 0 ? 0 : taken[i - 1]!.to, to }));
}

/** Return the time from the user's last word to the first sound; null while there was none. */
export function total(turn: Turn): number | null {
  return turn.at.firstSound === undefined ? null : Math.max(0, turn.at.firstSound - turn.end);
}

export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function medianTotal(turns: readonly Turn[]): number | null {
  return median(turns.map(total).filter((ms) => ms !== null));
}

/** Note that a step was taken, the first time that it is. */
export function note(turn: Turn | undefined, step: Step, now: number): void {
  if (turn !== undefined && turn.at[step] === undefined) turn.at[step] = now;
}
