/** Transcription at work: a live session that answers nobody, or a file; and the transcript that comes of either. */

import { type MicrophoneTrouble, Sound } from "../audio/devices";
import { NoAccess, openTranscription, type Refusal, transcriptionSecret } from "../realtime/access";
import { MOST_ATTEMPTS, parting, waitMs } from "../realtime/backoff";
import { decode, record, text } from "../realtime/wire";
import { smaller } from "./decoding";
import { type Chosen, FRAME_MS, troubleOf, wishesOf } from "./recorder";
import { transcribe } from "./rest";
import { Timeline } from "./timeline";
import { Transcript, type Utterance } from "./transcript";
import { Watched } from "./watched";

export type ScribePhase = "idle" | "connecting" | "live" | "reconnecting" | "finishing" | "reading";

export type ScribeTrouble =
  | { of: "microphone"; trouble: MicrophoneTrouble }
  | { of: "access"; refusal: Refusal; message: string }
  /** The server told of an error; the session goes on. */
  | { of: "server"; message: string };

const LOGPROBS = "item.input_audio_transcription.logprobs";
/** How long the last words are waited for. */
const FINISH_SECONDS = 8;
const OPEN_SECONDS = 10;
/** What servers take of a file, less what is around it. */
const LARGE_BYTES = 25 * 2 ** 20 - 4096;
/** Half a minute of frames is kept while there is no line. */
const MOST_WAITING = 30_000 / FRAME_MS;

export class Scribe extends Watched {
  phase: ScribePhase = "idle";
  trouble: ScribeTrouble | null = null;
  /** The file that was read last, for another attempt. */
  file: File | null = null;
  /** What was there before the visitor cleared it or read a file, to be brought back. */
  previous: readonly Utterance[] | null = null;
  /** Whether the transcript is that of a file, with times of its own. */
  isOfFile = false;
  readonly transcript = new Transcript((serverMs) => this.timeline.recordedMs(serverMs));
  private readonly timeline = new Timeline();
  private sound: Sound | null = null;
  private socket: WebSocket | null = null;
  /** Counts beginnings, so that what belongs to an earlier one is known and dropped. */
  private era = 0;
  private attempt = 0;
  /** Frames since the beginning of the recording. */
  private recorded = 0;
  private waiting: { frame: number; audio: string }[] = [];
  private isReady = false;
  /** Whether what was said last is on its way to being written down. */
  private isCommitted = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private reading = new AbortController();

  constructor(private readonly chosen: Chosen) {
    super();
  }

  level(side: "microphone" | "speaker"): number {
    return side === "microphone" ? (this.sound?.level("microphone") ?? 0) : 0;
  }

  get recordedMs(): number {
    return this.recorded * FRAME_MS;
  }

  // ---------------------------------------------------------------------------------------------------- the microphone

  /** Write down what the microphone hears, after what is there already. */
  async start(): Promise<void> {
    if (this.phase !== "idle") return;
    const era = ++this.era;
    if (this.isOfFile) this.clear();
    this.phase = "connecting";
    this.trouble = null;
    this.file = null;
    this.attempt = 0;
    this.waiting = [];
    this.changed();
    try {
      const sound = await Sound.open();
      if (era !== this.era) return sound.close();
      this.sound = sound;
      sound.onFrame = (audio) => this.heard(audio);
      sound.onMicrophoneLost = () => {
        this.stop();
        this.trouble = { of: "microphone", trouble: "absent" };
        this.changed();
      };
      await sound.listen(wishesOf(this.chosen));
    } catch (error) {
      if (era !== this.era) return;
      this.end();
      this.trouble = { of: "microphone", trouble: troubleOf(error) };
      this.changed();
      return;
    }
    if (era === this.era) await this.connect(era);
  }

  /** Write down what was said last, and end. */
  stop(): void {
    if (this.phase === "reading") return this.cancel();
    if (this.sound !== null) this.sound.onFrame = () => {};
    this.sound?.deafen();
    if (!this.isReady) return this.end();
    this.phase = "finishing";
    this.isCommitted = false;
    this.send({ type: "input_audio_buffer.commit", event_id: "last" });
    this.timer = setTimeout(() => this.end(), FINISH_SECONDS * 1000);
    this.changed();
  }

  private async connect(era: number): Promise<void> {
    let secret: string;
    try {
      secret = await transcriptionSecret(this.session());
    } catch (error) {
      if (era !== this.era) return;
      const { refusal, message } = error instanceof NoAccess ? error : new NoAccess("refused", String(error));
      this.failed({ of: "access", refusal, message }, refusal === "unreachable" || refusal === "busy");
      return;
    }
    if (era !== this.era) return;
    const socket = openTranscription(secret);
    const patience = setTimeout(() => socket.close(), OPEN_SECONDS * 1000);
    this.socket = socket;
    let hasOpened = false;
    socket.onopen = () => {
      hasOpened = true;
      clearTimeout(patience);
    };
    socket.onmessage = (message: MessageEvent<string>) => {
      if (socket === this.socket) this.receive(message.data);
    };
    socket.onclose = ({ code, reason }) => {
      clearTimeout(patience);
      if (era === this.era && socket === this.socket) this.closed(code, reason, hasOpened);
    };
  }

  private session(): object {
    const { transcriptionModel, language, noiseReduction, detection, eagerness, threshold, prefixMs, silenceMs } = this.chosen.settings;
    const silence = { threshold, prefix_padding_ms: prefixMs, silence_duration_ms: silenceMs };
    const input = {
      format: { type: "audio/pcm", rate: 24_000 },
      transcription: { model: transcriptionModel, ...(language.length === 2 ? { language } : {}) },
      noise_reduction: noiseReduction === "none" ? null : { type: noiseReduction },
      turn_detection: detection === "semantic_vad" ? { type: detection, eagerness } : { type: detection, ...silence },
    };
    return { type: "transcription", audio: { input }, include: [LOGPROBS] };
  }

  private receive(frame: string): void {
    const event = decode(frame);
    if (event === null) return;
    if (event.type === "session.created") this.created();
    else if (event.type === "error") this.refused(record(event.error));
    else this.transcript.receive(event, this.timeline.endMs);
    if (event.type === "input_audio_buffer.committed") this.isCommitted = true;
    if (this.phase === "finishing" && this.isCommitted && !this.transcript.isAwaited) this.end();
    this.changed();
  }

  private created(): void {
    this.phase = "live";
    this.trouble = null;
    this.attempt = 0;
    this.isReady = true;
    this.timeline.connect();
    for (const { frame, audio } of this.waiting) this.append(frame, audio);
    this.waiting = [];
  }

  private refused(error: Record<string, unknown>): void {
    // There was nothing left to be written down, which is an end as good as any.
    if (error.event_id === "last") {
      this.isCommitted = true;
      return;
    }
    this.trouble = { of: "server", message: text(error.message) };
  }

  private closed(code: number, reason: string, hasOpened: boolean): void {
    this.socket = null;
    this.isReady = false;
    this.transcript.lose(this.timeline.endMs);
    if (this.phase === "finishing") return this.end();
    // A session that has reached its age is followed by another.
    if (["again", "expired"].includes(parting(code))) this.failed({ of: "access", refusal: hasOpened ? "unreachable" : "busy", message: reason }, true);
    else this.failed({ of: "access", refusal: "refused", message: reason }, false);
  }

  private failed(trouble: ScribeTrouble, isPassing: boolean): void {
    // Who has not been let in yet is told at once, and tries by hand.
    if (!isPassing || this.phase === "connecting" || this.attempt >= MOST_ATTEMPTS) {
      this.end();
      this.trouble = trouble;
      this.changed();
      return;
    }
    this.trouble = trouble;
    this.phase = "reconnecting";
    const { era } = this;
    this.timer = setTimeout(() => void this.connect(era), waitMs(this.attempt, Math.random()));
    this.attempt += 1;
    this.changed();
  }

  private heard(audio: string): void {
    const frame = this.recorded;
    this.recorded += 1;
    if (this.isReady) this.append(frame, audio);
    else {
      this.waiting.push({ frame, audio });
      if (this.waiting.length > MOST_WAITING) this.waiting.shift();
    }
    if (frame % 10 === 0) this.changed();
  }

  private append(frame: number, audio: string): void {
    this.timeline.sentFrame(frame);
    this.send({ type: "input_audio_buffer.append", audio });
  }

  private send(event: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(event));
  }

  private end(): void {
    this.era += 1;
    clearTimeout(this.timer);
    this.isReady = false;
    this.transcript.lose(this.timeline.endMs);
    this.socket?.close(1000);
    this.socket = null;
    void this.sound?.close();
    this.sound = null;
    this.phase = "idle";
    this.changed();
  }

  // ---------------------------------------------------------------------------------------------------------- a file

  /** Write down what a file says, instead of what is there. */
  async read(file: File): Promise<void> {
    if (this.phase !== "idle") return;
    this.clear();
    this.phase = "reading";
    this.file = file;
    this.changed();
    this.reading = new AbortController();
    const { signal } = this.reading;
    const { transcriptionModel: model, language } = this.chosen.settings;
    try {
      this.transcript.read(await this.sent(file, { model, language }, signal));
      this.isOfFile = true;
    } catch (error) {
      if (signal.aborted) return;
      const { refusal, message } = error instanceof NoAccess ? error : new NoAccess("refused", String(error));
      this.trouble = { of: "access", refusal, message };
    }
    if (signal.aborted) return;
    this.phase = "idle";
    this.changed();
  }

  /** Send a file as it is; one that the server cannot read, or that is too large, as this browser reads it. */
  private async sent(file: File, wanted: { model: string; language: string }, signal: AbortSignal): Promise<unknown> {
    // Halfway through one that is too large the server would close the line.
    const reduced = file.size > LARGE_BYTES ? await smaller(file) : null;
    if (reduced !== null) return await transcribe(reduced, "recording.wav", wanted, signal);
    try {
      return await transcribe(file, file.name, wanted, signal);
    } catch (error) {
      if (signal.aborted || !(error instanceof NoAccess) || error.refusal !== "refused") throw error;
      const decoded = await smaller(file);
      // What this browser cannot read either is told in the server's words.
      if (decoded === null) throw error;
      return await transcribe(decoded, "recording.wav", wanted, signal);
    }
  }

  /** Wait no longer for a file. */
  cancel(): void {
    this.reading.abort();
    this.phase = "idle";
    this.changed();
  }

  /** Try again what was refused. */
  retry(): void {
    if (this.file !== null) void this.read(this.file);
    else void this.start();
  }

  // ------------------------------------------------------------------------------------------------- the transcript

  /** Begin a new transcript. */
  clear(): void {
    if (this.transcript.utterances.length > 0) this.previous = this.transcript.utterances;
    this.transcript.utterances = [];
    this.trouble = null;
    this.isOfFile = false;
    this.recorded = 0;
    this.changed();
  }

  /** Let what was refused be. */
  dismiss(): void {
    this.trouble = null;
    this.changed();
  }

  /** Bring back what was there before. */
  undo(): void {
    if (this.previous === null) return;
    this.transcript.utterances = this.previous;
    this.previous = null;
    // It has times of its own, after which nothing can go on.
    this.isOfFile = true;
    this.changed();
  }

  /** Let everything go, for the visitor does something else. */
  leave(): void {
    if (this.phase === "reading") this.cancel();
    else if (this.phase !== "idle") this.stop();
  }
}
