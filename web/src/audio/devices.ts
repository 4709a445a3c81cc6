/** The microphone and the loudspeaker of a conversation, joined to the two worklets where the browser has those. */

import captureUrl from "./capture.worklet.ts?worker&url";
import type { Captured } from "./capture.worklet";
import { RATE, toBase64 } from "./pcm";
import playbackUrl from "./playback.worklet.ts?worker&url";
import type { PlaybackNews, PlaybackOrder, PlayedPiece } from "./player";
import { RemoteSound } from "./remote";
import { plainSpeaker, type Speaker, workletSpeaker } from "./speaker";

export type MicrophoneTrouble = "insecure" | "unsupported" | "denied" | "absent" | "busy" | "failed";

/** Why there is no microphone; what is said about it stands with the page's texts. */
export class NoMicrophone extends Error {
  constructor(readonly trouble: MicrophoneTrouble) {
    super(trouble);
  }
}

export interface MicrophoneWishes {
  deviceId: string;
  echoCancellation: boolean;
  noiseSuppression: boolean;
  autoGain: boolean;
}

/** How long a loudspeaker is waited for that may never fall silent. */
const PARTING_MS = 200;
const DUCKED = 0.25;
/** Over which a change of loudness is spread, so that it does not click. */
const GLIDE_SECONDS = 0.03;
/** Fades with the ear's idea of loudness. */
const loudness = (volume: number) => volume ** 2;

export class Sound {
  readonly context: AudioContext;
  /** Told of each frame of 20 ms, in base64 and as it is. */
  onFrame: (audio: string, now: number, frame: Captured) => void = () => {};
  onPlayback: (news: PlaybackNews) => void = () => {};
  /** Told of all that was played, as it came in. */
  onPlayed: (piece: PlayedPiece) => void = () => {};
  /** Told when the microphone goes away by itself. */
  onMicrophoneLost: () => void = () => {};
  /** Told of the microphone that is listened to from now on, or of none. */
  onTrack: (track: MediaStreamTrack | null) => void = () => {};
  isMuted = false;
  /** The answers, where they come as a track. */
  remote: RemoteSound | null = null;
  private readonly gain: GainNode;
  private readonly speaker: AnalyserNode;
  private readonly microphone: AnalyserNode;
  private readonly playback: Speaker;
  private stream: MediaStream | null = null;
  private source: MediaStreamAudioSourceNode | null = null;
  private volume = 1;
  private isDucked = false;
  private sinkId = "";
  private listens = 0;
  private readonly silence = new Int16Array(RATE / 50);
  private readonly silenceSent = toBase64(this.silence);
  /** Called when the loudspeaker has told all that it has to. */
  private onQuiet: () => void = () => {};

  private constructor(
    context: AudioContext,
    private readonly hasWorklets: boolean,
  ) {
    this.context = context;
    this.gain = context.createGain();
    this.speaker = context.createAnalyser();
    this.microphone = context.createAnalyser();
    for (const meter of [this.speaker, this.microphone]) meter.fftSize = 1024;
    this.playback = (hasWorklets ? workletSpeaker : plainSpeaker)(context, (news) => {
      if (news.news === "played") return this.onPlayed(news);
      this.onPlayback(news);
      if (news.news === "flushed") this.onQuiet();
    });
    this.playback.node.connect(this.speaker).connect(this.gain).connect(context.destination);
    if (!hasWorklets) return;
    const capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0, channelCount: 1 });
    this.microphone.connect(capture);
    capture.port.onmessage = ({ data }: MessageEvent<Captured>) => {
      if (!this.isMuted) this.onFrame(toBase64(data.pcm), performance.now(), data);
      else this.onFrame(this.silenceSent, performance.now(), { pcm: this.silence, at: data.at });
    };
  }

  /** Return sound that is at work; to be called when the visitor has just clicked. */
  static async open(): Promise<Sound> {
    if (!("AudioContext" in window)) throw new NoMicrophone("unsupported");
    const context = new AudioContext({ latencyHint: "interactive" });
    try {
      // Not awaited: where there is no loudspeaker some browsers never resume.
      void context.resume();
      const hasWorklets = "audioWorklet" in context;
      if (hasWorklets) await Promise.all([captureUrl, playbackUrl].map((url) => context.audioWorklet.addModule(url)));
      return new Sound(context, hasWorklets);
    } catch (error) {
      void context.close();
      throw error;
    }
  }

  /** Listen to a microphone, instead of the one before. */
  async listen(wishes: MicrophoneWishes): Promise<void> {
    const turn = ++this.listens;
    this.deafen();
    if (!this.hasWorklets) throw new NoMicrophone(window.isSecureContext ? "unsupported" : "insecure");
    const stream = await microphoneOf(wishes);
    // Meanwhile the conversation may have ended, or another microphone been asked for.
    if (this.context.state === "closed" || turn !== this.listens) {
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    this.stream = stream;
    this.source = this.context.createMediaStreamSource(stream);
    this.source.connect(this.microphone);
    this.onTrack(this.track);
    stream.getAudioTracks()[0]!.onended = () => {
      if (this.stream !== stream) return;
      this.deafen();
      this.onMicrophoneLost();
    };
  }

  /** Let the microphone go. */
  deafen(): void {
    this.source?.disconnect();
    this.source = null;
    for (const track of this.stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    if (this.stream === null) return;
    this.stream = null;
    this.onTrack(null);
  }

  get isListening(): boolean {
    return this.stream !== null;
  }

  /** The microphone's track, for a road that carries it as one. */
  get track(): MediaStreamTrack | null {
    return this.stream?.getAudioTracks()[0] ?? null;
  }

  /** Play what comes as a track, instead of what came before; null for nothing. */
  playRemote(stream: MediaStream | null): RemoteSound | null {
    this.remote?.close();
    this.remote = stream && new RemoteSound(this.context, stream, this.hasWorklets);
    this.remote?.setVolume(loudness(this.volume));
    if (this.sinkId !== "") void this.remote?.playOn(this.sinkId);
    return this.remote;
  }

  order(order: PlaybackOrder): void {
    this.playback.obey(order);
  }

  setVolume(volume: number): void {
    this.volume = volume;
    this.remote?.setVolume(loudness(volume));
    this.glide();
  }

  duck(softly: boolean): void {
    this.isDucked = softly;
    this.glide();
  }

  /** Play on another device, where the browser can. */
  async playOn(deviceId: string): Promise<void> {
    this.sinkId = deviceId;
    await this.remote?.playOn(deviceId);
    if (canChooseSpeaker()) {
      await (this.context as AudioContext & { setSinkId(id: string): Promise<void> }).setSinkId(deviceId);
    }
  }

  /** Milliseconds from the worklet to the ear, as far as the browser knows. */
  get outputDelayMs(): number {
    const seconds = this.context.outputLatency;
    return Number.isFinite(seconds) ? seconds * 1000 : 0;
  }

  /** The level of either side, from 0 to 1, where 0 is 60 dB below the loudest. */
  level(side: "microphone" | "speaker"): number {
    if (side === "microphone" && this.isMuted) return 0;
    const samples = new Float32Array(1024);
    const { remote } = this;
    if (side === "speaker" && remote !== null) {
      if (remote.isHushed) return 0;
      remote.meter.getFloatTimeDomainData(samples);
    } else this[side].getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    return Math.min(1, Math.max(0, (10 * Math.log10(power + 1e-12) + 60) / 60));
  }

  /** The time of the context's clock, in samples of 24 kHz. */
  get now(): number {
    return Math.round(this.context.currentTime * RATE);
  }

  /** Fall silent, and return when all that was played has been told of. */
  async close(): Promise<void> {
    // A microphone that is allowed only now is let go at once.
    this.listens += 1;
    this.deafen();
    this.playRemote(null);
    const quiet = new Promise<void>((resolve) => {
      this.onQuiet = resolve;
      // Where a browser has put the context to sleep, nothing is told any more.
      setTimeout(resolve, PARTING_MS);
    });
    this.order({ order: "flush", id: 0 });
    await quiet;
    await this.context.close();
  }

  private glide(): void {
    const target = loudness(this.volume) * (this.isDucked ? DUCKED : 1);
    this.gain.gain.setTargetAtTime(target, this.context.currentTime, GLIDE_SECONDS / 3);
  }
}

export function canChooseSpeaker(): boolean {
  return "AudioContext" in window && "setSinkId" in AudioContext.prototype;
}

/** Return the devices of a kind that have a name; before the visitor has allowed the microphone there are none. */
export async function devices(kind: "audioinput" | "audiooutput"): Promise<{ id: string; name: string }[]> {
  if (!navigator.mediaDevices?.enumerateDevices) return [];
  const found = await navigator.mediaDevices.enumerateDevices();
  return found
    .filter((device) => device.kind === kind && device.label !== "" && device.deviceId !== "default")
    .map((device) => ({ id: device.deviceId, name: device.label }));
}

async function microphoneOf(wishes: MicrophoneWishes): Promise<MediaStream> {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new NoMicrophone(window.isSecureContext ? "unsupported" : "insecure");
  }
  const audio: MediaTrackConstraints = {
    channelCount: 1,
    echoCancellation: wishes.echoCancellation,
    noiseSuppression: wishes.noiseSuppression,
    autoGainControl: wishes.autoGain,
    // A device that was chosen and is gone is no reason to hear nothing.
    ...(wishes.deviceId === "" ? {} : { deviceId: { ideal: wishes.deviceId } }),
  };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    const troubles: Record<string, MicrophoneTrouble> = {
      NotAllowedError: "denied",
      SecurityError: "denied",
      NotFoundError: "absent",
      OverconstrainedError: "absent",
      NotReadableError: "busy",
      AbortError: "busy",
    };
    throw new NoMicrophone(error instanceof DOMException ? (troubles[error.name] ?? "failed") : "failed");
  }
}
