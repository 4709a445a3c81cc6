/**
 * How far an answer has come that the server plays, as by WebRTC: there the page gets words and a track, and no sound of
 * which it would know the words.  The server tells when an answer begins and ends to sound; between the two, words are
 * taken to be spoken at the pace of the answers before.
 */

import { spokenLength } from "./captions";

export interface Words {
  id: string;
  text: string;
}

/** How far one item has come. */
export interface Place {
  id: string;
  ms: number;
  spoken: number;
}

/** Characters in a second of unhurried English. */
const USUAL_PACE = 15 / 1000;
/** What a measured pace may be: less or more comes of pauses, and of answers of a word. */
const [SLOWEST, FASTEST] = [USUAL_PACE / 2.5, USUAL_PACE * 2.5];
/** Shorter answers say little of the pace. */
const TELLING_CHARACTERS = 12;

export class PlayedThere {
  /** The response that is heard now; empty between answers. */
  response = "";
  private since = 0;
  private latest = 0;
  private pace = USUAL_PACE;

  /** A response begins to be heard at that time. */
  begin(response: string, now: number): void {
    this.response = response;
    this.since = this.latest = now;
  }

  /** The response was heard to its end, with these words. */
  finish(items: readonly Words[], now: number): void {
    const characters = items.reduce((sum, item) => sum + item.text.length, 0);
    const ms = now - this.since;
    if (characters >= TELLING_CHARACTERS && ms > 0) {
      this.pace = Math.min(FASTEST, Math.max(SLOWEST, (this.pace + characters / ms) / 2));
    }
    this.response = "";
  }

  /** The response is heard no more. */
  stop(): void {
    this.response = "";
  }

  /** Return how far each of the response's items has come; those that are not heard yet are left out. */
  places(items: readonly Words[], now = this.latest): Place[] {
    this.latest = Math.max(this.latest, now);
    const places: Place[] = [];
    let ms = this.latest - this.since;
    for (const { id, text } of items) {
      if (ms <= 0) break;
      places.push({ id, ms, spoken: this.spokenAt(text, ms) });
      ms -= text.length / this.pace;
    }
    return places;
  }

  /** Return how many characters of an item are spoken after so many milliseconds of it. */
  spokenAt(text: string, ms: number): number {
    return spokenLength(text, [{ end: text.length, atMs: 0 }], ms, text.length / this.pace);
  }
}
