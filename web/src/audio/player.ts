/** The loudspeaker's end of the sound: obeys orders, fills blocks, and tells how far it got. */

import { fromPcm16 } from "./pcm";
import { type Played, Playout } from "./playout";

export type PlaybackOrder =
  | { order: "add"; item: string; part: number; pcm: Int16Array }
  | { order: "end" }
  | { order: "flush"; id: number };

export type PlaybackNews =
  | { news: "state"; played: Played | null; stockMs: number; gaps: number; totalMs: number; isPlaying: boolean }
  | { news: "began"; item: string }
  | { news: "flushed"; id: number; playing: Played | null; unheard: string[] };

/** Samples between two words of the state, about 20 ms. */
const TOLD_SAMPLES = 1024;

export class Player {
  private readonly playout: Playout;
  private untold = 0;
  private sounded = 0;
  private began: string | null = null;
  private wasPlaying = false;

  constructor(
    private readonly rate: number,
    private readonly tell: (news: PlaybackNews) => void,
  ) {
    this.playout = new Playout(rate);
  }

  obey(order: PlaybackOrder): void {
    if (order.order === "add") this.playout.add(order.item, order.part, fromPcm16(order.pcm));
    else if (order.order === "end") this.playout.end();
    else {
      this.tell({ news: "flushed", id: order.id, ...this.playout.flush() });
      this.tellState();
    }
  }

  /** Fill a block of one channel. */
  fill(block: Float32Array): void {
    if (this.playout.pull(block)) this.sounded += block.length;
    const item = this.playout.isPlaying ? this.playout.played?.item : undefined;
    if (item !== undefined && item !== this.began) {
      this.began = item;
      this.tell({ news: "began", item });
    }
    this.untold += block.length;
    if (this.playout.isPlaying !== this.wasPlaying || this.untold >= TOLD_SAMPLES) this.tellState();
  }

  private tellState(): void {
    this.untold = 0;
    this.wasPlaying = this.playout.isPlaying;
    const { played, stock: stockMs, gaps, isPlaying } = this.playout;
    this.tell({ news: "state", played, stockMs, gaps, totalMs: (this.sounded / this.rate) * 1000, isPlaying });
  }
}
