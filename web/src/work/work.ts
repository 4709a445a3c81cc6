/** The ways of working beside the conversation. */

import type { Settings } from "../realtime/settings";
import { ClassicTalk } from "./classicTalk";
import type { Mode } from "./mode";
import { Reader } from "./reader";
import { Scribe } from "./scribe";

export class Work {
  readonly classic: ClassicTalk;
  readonly transcribe: Scribe;
  readonly speak = new Reader();

  constructor(settings: () => Settings) {
    this.classic = new ClassicTalk(settings);
    this.transcribe = new Scribe(settings);
  }

  /** End what is at work in a way; what has come of it stays. */
  leave(mode: Mode): void {
    if (mode === "classic") this.classic.leave();
    if (mode === "transcribe") this.transcribe.leave();
    if (mode === "speak") this.speak.stop();
  }
}
