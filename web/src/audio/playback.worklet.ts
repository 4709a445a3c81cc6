/** The loudspeaker's worklet. */

import { type PlaybackOrder, Player } from "./player";

class Playback extends AudioWorkletProcessor {
  private readonly player = new Player(sampleRate, (news) => this.port.postMessage(news));

  constructor(options: AudioWorkletNodeOptions) {
    super(options);
    this.port.onmessage = (message: MessageEvent<PlaybackOrder>) => this.player.obey(message.data);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const [first, ...others] = outputs[0] ?? [];
    if (first === undefined) return true;
    this.player.fill(first, currentFrame);
    for (const channel of others) channel.set(first);
    return true;
  }
}

registerProcessor("playback", Playback);
