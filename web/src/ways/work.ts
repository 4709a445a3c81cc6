/** The ways of working beside the conversation. */

import { ClassicTalk } from "./classicTalk";
import type { Mode } from "./mode";
import { Reader } from "./reader";
import type { Chosen } from "./recorder";
import { Scribe } from "./scribe";

export class Work {
  readonly classic: ClassicTalk;
  readonly transcribe: Scribe;
  readonly speak: Reader;

  constructor(chosen: Chosen) {
    this.classic = new ClassicTalk(chosen);
    this.transcribe = new Scribe(chosen);
    this.speak = new Reader(chosen);
  }

  /** End what is at work in a way; what has come of it stays. */
  leave(mode: Mode): void {
    if (mode === "classic") this.classic.leave();
    if (mode === "transcribe") this.transcribe.leave();
    if (mode === "speak") this.speak.stop();
  }
}
