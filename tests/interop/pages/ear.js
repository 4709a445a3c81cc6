// What the test pages share: an ear that keeps what a stream sounds like, and what a connection has counted.

const RATE = 16_000;
const WORKLET = `registerProcessor("ear", class extends AudioWorkletProcessor {
    process([[samples]]) {
        if (samples) this.port.postMessage(Int16Array.from(samples, (x) => 32767 * x));
        return true;
    }
})`;

/** Keeps all that a stream sounds like, as PCM16 at 16 kHz, until it is taken. */
export class Ear {
  static async on(stream) {
    const context = new AudioContext({ sampleRate: RATE });
    const url = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
    await context.audioWorklet.addModule(url);
    return new Ear(context, stream);
  }

  constructor(context, stream) {
    this.context = context;
    this.pieces = [];
    this.lastLoud = 0; // when it was last loud, by the page's clock
    const node = new AudioWorkletNode(context, "ear", { numberOfOutputs: 0, channelCount: 1 });
    node.port.onmessage = ({ data }) => {
      this.pieces.push(data);
      if (data.some((sample) => Math.abs(sample) > 300)) this.lastLoud = performance.now();
    };
    context.createMediaStreamSource(stream).connect(node);
  }

  /** Return what was heard so far in base64, and forget it. */
  take() {
    const bytes = this.pieces.splice(0).flatMap((piece) => [...new Uint8Array(piece.buffer)]);
    const texts = [];
    for (let at = 0; at < bytes.length; at += 8192) texts.push(String.fromCharCode(...bytes.slice(at, at + 8192)));
    return btoa(texts.join(""));
  }

  close() {
    return this.context.close();
  }
}

/** Return what the browser counted of a connection. */
export async function counted(peer) {
  const found = {};
  const entries = [...(await peer.getStats()).values()];
  for (const one of entries) {
    if (one.type === "inbound-rtp") Object.assign(found, { received: one.packetsReceived, lost: one.packetsLost, concealed: one.concealedSamples, heard: one.totalSamplesReceived, energy: one.totalAudioEnergy });
    if (one.type === "outbound-rtp") found.sent = one.packetsSent;
    if (one.type === "codec" && found.fmtp === undefined) Object.assign(found, { codec: one.mimeType, fmtp: one.sdpFmtpLine });
    if (one.type === "local-candidate" && one.candidateType === "relay") found.relayed = one.relayProtocol;
  }
  return found;
}
