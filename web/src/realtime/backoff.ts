/** How long to wait before connecting again, and what a close code says about whether to. */

const FIRST_MS = 500;
const MOST_MS = 15_000;
/** Servers forget a conversation about two minutes after its line broke. */
export const MOST_ATTEMPTS = 14;

/** Return the wait before an attempt, the first being 0, spread so that many pages do not come at once. */
export function waitMs(attempt: number, random: number): number {
  return Math.min(MOST_MS, FIRST_MS * 2 ** attempt) * (0.75 + random / 2);
}

export type Parting = "over" | "elsewhere" | "fatal" | "expired" | "again";

/** Return what a close code means. */
export function parting(code: number): Parting {
  if (code === 1000) return "over";
  if (code === 1001) return "expired";
  if (code === 4001) return "elsewhere";
  if ([1002, 1003, 1007, 1008, 1009].includes(code) || (code >= 4000 && code < 5000)) return "fatal";
  return "again";
}
