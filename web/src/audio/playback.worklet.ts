/** The loudspeaker's worklet: answers in, sound out, and word of how far it got. */

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

/** Between two words of the state, about 20 ms. */
const BLOCKS = 8;

class Playback extends AudioWorkletProcessor {
  private readonly playout = new Playout(sampleRate);
  private blocks = 0;
  private sounded = 0;
  private began: string | null = null;
  private wasPlaying = false;

  constructor(options: AudioWorkletNodeOptions) {
    super(options);
    this.port.onmessage = (message: MessageEvent<PlaybackOrder>) => this.obey(message.data);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const [first, ...others] = outputs[0] ?? [];
    if (first === undefined) return true;
    if (this.playout.pull(first)) this.sounded += first.length;
    for (const channel of others) channel.set(first);
    const item = this.playout.isPlaying ? this.playout.played?.item : undefined;
    if (item !== undefined && item !== this.began) {
      this.began = item;
      this.tell({ news: "began", item });
    }
    if (this.playout.isPlaying !== this.wasPlaying || ++this.blocks >= BLOCKS) this.tellState();
    return true;
  }

  private obey(order: PlaybackOrder): void {
    if (order.order === "add") this.playout.add(order.item, order.part, fromPcm16(order.pcm));
    else if (order.order === "end") this.playout.end();
    else {
      this.tell({ news: "flushed", id: order.id, ...this.playout.flush() });
      this.tellState();
    }
  }

  private tellState(): void {
    this.blocks = 0;
    this.wasPlaying = this.playout.isPlaying;
    const { played, stock: stockMs, gaps, isPlaying } = this.playout;
    this.tell({ news: "state", played, stockMs, gaps, totalMs: (this.sounded / sampleRate) * 1000, isPlaying });
  }

  private tell(news: PlaybackNews): void {
    this.port.postMessage(news);
  }
}

registerProcessor("playback", Playback);
