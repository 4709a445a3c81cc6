/** Places of a talk on the screen. */

import { RATE } from "../audio/pcm";

/** Deepest zoom, in pixels for a second: syllables can be told apart. */
export const MOST_ZOOM = 400;
/** A canvas behind which a page is longer than this scrolls oddly in some browsers. */
const MOST_PIXELS = 8_000_000;
const STEPS_SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
/** Pixels between two marks of the ruler, at least. */
const MARK_PIXELS = 70;

/** Return a zoom that a talk of that length can have on a screen of that width. */
export function fitting(zoom: number, length: number, width: number): number {
  const seconds = Math.max(0.1, length / RATE);
  const least = width / seconds;
  return Math.max(least, Math.min(zoom, MOST_ZOOM, MOST_PIXELS / seconds));
}

/** Return the seconds between two marks of the ruler. */
export function markSeconds(zoom: number): number {
  return STEPS_SECONDS.find((step) => step * zoom >= MARK_PIXELS) ?? STEPS_SECONDS.at(-1)!;
}
