/** What plays the answers: a worklet, or what browsers had before those. */

import { type PlaybackNews, type PlaybackOrder, type PlayedPiece, Player } from "./player";

type Tell = (news: PlaybackNews | PlayedPiece) => void;

export interface Speaker {
  readonly node: AudioNode;
  obey(order: PlaybackOrder): void;
}

/** Twice this is how late a flush is heard; browsers stutter with less of it. */
const BLOCK = 2048;

/** Return a loudspeaker in a worklet, whose module has been added to the context. */
export function workletSpeaker(context: AudioContext, tell: Tell): Speaker {
  const node = new AudioWorkletNode(context, "playback", { numberOfInputs: 0, outputChannelCount: [1] });
  node.port.onmessage = (message: MessageEvent<PlaybackNews | PlayedPiece>) => tell(message.data);
  return { node, obey: (order) => node.port.postMessage(order, order.order === "add" ? [order.pcm.buffer] : []) };
}

/** Return a loudspeaker for pages that are given no worklets: those that came neither by https nor from this machine. */
export function plainSpeaker(context: AudioContext, tell: Tell): Speaker {
  // Told a little later, as by a worklet: nobody expects word of an order before it is given.
  const player = new Player(context.sampleRate, (news) => queueMicrotask(() => tell(news)));
  // An input that nothing is connected to: some browsers call nobody without one.
  const node = context.createScriptProcessor(BLOCK, 1, 1);
  node.onaudioprocess = (event) =>
    player.fill(event.outputBuffer.getChannelData(0), Math.round(event.playbackTime * context.sampleRate));
  return { node, obey: (order) => player.obey(order) };
}
