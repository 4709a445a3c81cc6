/** The loudspeaker's end of the sound: obeys orders, fills blocks, and tells how far it got. */

import { fromPcm16, RATE, toPcm16 } from "./pcm";
import { type Heard, type Played, Playout } from "./playout";

export type PlaybackOrder =
  | { order: "add"; item: string; part: number; pcm: Int16Array }
  | { order: "end" }
  | { order: "flush"; id: number };

export type PlaybackNews =
  | { news: "state"; played: Played | null; stockMs: number; gaps: number; totalMs: number; isPlaying: boolean }
  | { news: "began"; item: string }
  | { news: "flushed"; id: number; playing: Played | null; unheard: string[] };

/** A piece of an answer that was played: as it came in, and when it left, in samples of 24 kHz by the context's clock. */
export interface PlayedPiece {
  news: "played";
  item: string;
  pcm: Int16Array;
  at: number;
}

/** Samples between two words of the state, about 20 ms. */
const TOLD_SAMPLES = 1024;
/** Samples of a piece that is told: 40 ms. */
const PIECE = RATE / 25;

export class Player {
  private readonly playout: Playout;
  private untold = 0;
  private sounded = 0;
  private began: string | null = null;
  private wasPlaying = false;
  private readonly piece = { item: "", at: 0, samples: new Float32Array(PIECE), filled: 0 };

  constructor(
    private readonly rate: number,
    private readonly tell: (news: PlaybackNews | PlayedPiece) => void,
  ) {
    this.playout = new Playout(rate, (heard) => this.keep(heard));
  }

  obey(order: PlaybackOrder): void {
    if (order.order === "add") this.playout.add(order.item, order.part, fromPcm16(order.pcm));
    else if (order.order === "end") this.playout.end();
    else {
      const flushed = this.playout.flush();
      this.tellPiece();
      this.tell({ news: "flushed", id: order.id, ...flushed });
      this.tellState();
    }
  }

  /** Fill a block of one channel that leaves at a time, in samples of the device by the context's clock. */
  fill(block: Float32Array, at: number): void {
    if (this.playout.pull(block, at)) this.sounded += block.length;
    if (!this.playout.isPlaying) this.tellPiece();
    const item = this.playout.isPlaying ? this.playout.played?.item : undefined;
    if (item !== undefined && item !== this.began) {
      this.began = item;
      this.tell({ news: "began", item });
    }
    this.untold += block.length;
    if (this.playout.isPlaying !== this.wasPlaying || this.untold >= TOLD_SAMPLES) this.tellState();
  }

  private keep({ item, samples, at }: Heard): void {
    const { piece } = this;
    for (let taken = 0; taken < samples.length; ) {
      if (piece.item !== item || piece.at + piece.filled !== at + taken || piece.filled === PIECE) {
        this.tellPiece();
        piece.item = item;
        piece.at = at + taken;
      }
      const count = Math.min(PIECE - piece.filled, samples.length - taken);
      piece.samples.set(samples.subarray(taken, taken + count), piece.filled);
      piece.filled += count;
      taken += count;
    }
  }

  private tellPiece(): void {
    const { item, at, samples, filled } = this.piece;
    if (filled === 0) return;
    this.piece.filled = 0;
    this.tell({ news: "played", item, pcm: toPcm16(samples.subarray(0, filled)), at });
  }

  private tellState(): void {
    this.untold = 0;
    this.wasPlaying = this.playout.isPlaying;
    const { played, stock: stockMs, gaps, isPlaying } = this.playout;
    this.tell({ news: "state", played, stockMs, gaps, totalMs: (this.sounded / this.rate) * 1000, isPlaying });
  }
}
