/** The answers as a track that comes by WebRTC, played by an audio element, which is what browsers cancel the echo of. */

import type { Captured } from "./capture.worklet";

export class RemoteSound {
  /** Measures how loud it is. */
  readonly meter: AnalyserNode;
  /** Told of each 20 ms of it as it sounds, where there are worklets. */
  onFrame: (frame: Captured) => void = () => {};
  /** Told where the browser plays nothing before its visitor has clicked. */
  onBlocked: () => void = () => {};
  private readonly element = new Audio();
  private readonly source: MediaStreamAudioSourceNode;
  private readonly capture: AudioWorkletNode | null;
  private readonly play = () => void this.element.play().catch(() => this.blocked());

  constructor(context: AudioContext, stream: MediaStream, hasWorklets: boolean) {
    this.element.autoplay = true;
    this.element.srcObject = stream;
    this.source = context.createMediaStreamSource(stream);
    this.meter = context.createAnalyser();
    this.meter.fftSize = 1024;
    this.source.connect(this.meter);
    this.capture = hasWorklets ? new AudioWorkletNode(context, "capture", { numberOfOutputs: 0, channelCount: 1 }) : null;
    if (this.capture !== null) {
      this.source.connect(this.capture);
      this.capture.port.onmessage = ({ data }: MessageEvent<Captured>) => this.onFrame(data);
    }
    this.play();
  }

  setVolume(volume: number): void {
    this.element.volume = volume;
  }

  /** Let nothing of it be heard, though it goes on. */
  hush(isHushed: boolean): void {
    this.element.muted = isHushed;
  }

  get isHushed(): boolean {
    return this.element.muted;
  }

  /** Play on another device, where the browser can. */
  async playOn(deviceId: string): Promise<void> {
    if ("setSinkId" in this.element) await this.element.setSinkId(deviceId);
  }

  close(): void {
    removeEventListener("pointerdown", this.play);
    if (this.capture !== null) this.capture.port.onmessage = null;
    this.source.disconnect();
    this.element.pause();
    this.element.srcObject = null;
  }

  private blocked(): void {
    if (this.element.srcObject === null) return;
    addEventListener("pointerdown", this.play, { once: true });
    this.onBlocked();
  }
}
