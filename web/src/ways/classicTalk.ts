/** The classic way of talking at work: the microphone, the requests and the loudspeaker around a `Classic`. */

import { type MicrophoneTrouble, Sound } from "../audio/devices";
import { NoAccess } from "../realtime/access";
import { Classic, type Effect, type Stage } from "./classic";
import { type Chosen, place, Recorder, troubleOf, wishesOf } from "./recorder";
import { chat, speech, transcribe } from "./rest";
import { Watched } from "./watched";
import { wavFile } from "./wav";

/** Whoever presses the button a moment before speaking, or after, loses nothing. */
const LEAD_MS = 300;
/** A recording of 15 MB. */
const MOST_MS = 300_000;
/** A button that was held for less was pressed, and is pressed again to end the recording. */
const PRESS_MS = 400;
/** After this time without a recording the microphone is let go. */
const IDLE_MS = 60_000;
/** Between two looks at how long a recording has become. */
const LOOK_MS = 200;

export class ClassicTalk extends Watched {
  readonly classic: Classic;
  microphone: MicrophoneTrouble | null = null;
  /** Whether the browser was asked for the microphone and has not answered. */
  isAsking = false;
  isRecording = false;
  private sound: Sound | null = null;
  private opening: Promise<void> | null = null;
  private recorder: Recorder | null = null;
  private requests = new AbortController();
  private flushes = 0;
  /** Counts visits, so that what an earlier one opened is known and closed. */
  private era = 0;
  private begunAt = 0;
  private looking: ReturnType<typeof setInterval> | undefined;
  private idling: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly chosen: Chosen) {
    super();
    this.classic = new Classic({ instructions: () => this.chosen.settings.instructions, hasSound: () => this.sound !== null });
  }

  level(side: "microphone" | "speaker"): number {
    return this.sound?.level(side) ?? 0;
  }

  get recordedMs(): number {
    return this.isRecording ? (this.recorder?.ms ?? 0) : 0;
  }

  /** Begin to record; to be called when the visitor has just pressed something. */
  async record(): Promise<void> {
    if (this.isRecording || this.isAsking) return;
    clearTimeout(this.idling);
    this.perform(this.classic.stop());
    this.isAsking = true;
    this.changed();
    const { era } = this;
    let trouble: MicrophoneTrouble | null = null;
    try {
      await this.open();
      if (era === this.era && !this.sound!.isListening) await this.sound!.listen(wishesOf(this.chosen));
    } catch (error) {
      trouble = troubleOf(error);
    }
    // Meanwhile the visitor may have gone elsewhere.
    if (era !== this.era) return;
    this.isAsking = false;
    this.microphone = trouble;
    this.isRecording = this.microphone === null;
    if (this.isRecording) {
      this.recorder!.begin();
      this.begunAt = performance.now();
      this.looking = setInterval(() => this.changed(), LOOK_MS);
    }
    this.changed();
  }

  /** The button, or the space bar, was let go: the end of a recording for which it was held. */
  letGo(): void {
    // A finger's touch begins to count for browsers when it ends.
    void this.sound?.context.resume();
    if (this.isRecording && performance.now() - this.begunAt >= PRESS_MS) this.finish();
  }

  /** End the recording, and have it answered. */
  finish(): void {
    if (!this.isRecording) return;
    const frames = this.rest();
    this.perform(this.classic.record(wavFile(frames), performance.now()));
  }

  /** End the recording, and forget it. */
  discard(): void {
    this.isAsking = false;
    if (this.isRecording) this.rest();
    this.changed();
  }

  async type(words: string): Promise<void> {
    const { era } = this;
    // Where there is no sound, the answer is read.
    await this.open().catch(() => {});
    if (era === this.era) this.perform(this.classic.type(words, performance.now()));
  }

  setVolume(volume: number): void {
    this.sound?.setVolume(volume);
  }

  stop(): void {
    this.perform(this.classic.stop());
  }

  async retry(): Promise<void> {
    const { era } = this;
    // Since it failed the visitor may have been elsewhere.
    await this.open().catch(() => {});
    if (era === this.era) this.perform(this.classic.retry(performance.now()));
  }

  clear(): void {
    this.perform(this.classic.clear());
  }

  /** Let what failed be. */
  dismiss(): void {
    this.classic.failure = null;
    this.changed();
  }

  /** Let everything go, for the visitor does something else. */
  leave(): void {
    this.era += 1;
    this.discard();
    this.stop();
    clearTimeout(this.idling);
    void this.sound?.close();
    this.sound = null;
    this.recorder = null;
    this.opening = null;
    // Nobody tells any more that it fell silent.
    this.classic.isPlaying = false;
    this.changed();
  }

  private open(): Promise<void> {
    this.opening ??= this.openSound().catch((error: unknown) => {
      this.opening = null;
      throw error;
    });
    return this.opening;
  }

  private async openSound(): Promise<void> {
    const { era } = this;
    const sound = await Sound.open();
    if (era !== this.era) return void sound.close();
    place(sound, this.chosen);
    sound.onPlayback = (news) => {
      const { lines, isPlaying } = this.classic;
      this.classic.receivePlayback(news, performance.now() + (news.news === "began" ? sound.outputDelayMs : 0));
      if (news.news !== "state" || isPlaying !== this.classic.isPlaying || lines.at(-1) !== this.classic.lines.at(-1)) this.changed();
    };
    sound.onMicrophoneLost = () => {
      this.microphone = "absent";
      this.finish();
      this.changed();
    };
    this.sound = sound;
    this.recorder = new Recorder(sound, LEAD_MS, MOST_MS);
    this.recorder.onFull = () => this.finish();
  }

  /** End the recording, and return it; the microphone stays for a while. */
  private rest(): Int16Array<ArrayBuffer>[] {
    this.isRecording = false;
    clearInterval(this.looking);
    this.idling = setTimeout(() => this.sound?.deafen(), IDLE_MS);
    return this.recorder!.finish();
  }

  private perform(effects: Effect[]): void {
    for (const effect of effects) {
      if (effect.do === "abort") {
        this.requests.abort();
        this.requests = new AbortController();
      } else if (effect.do === "play") this.sound?.order({ order: "add", item: effect.item, part: 0, pcm: effect.pcm });
      else if (effect.do === "end") this.sound?.order({ order: "end" });
      else if (effect.do === "flush") this.sound?.order({ order: "flush", id: ++this.flushes });
      else void this.ask(effect);
    }
    this.changed();
  }

  private async ask(effect: Extract<Effect, { do: "transcribe" | "answer" | "speak" }>): Promise<void> {
    const { signal } = this.requests;
    const STAGES = { transcribe: "words", answer: "answer", speak: "voice" } as const satisfies Record<string, Stage>;
    try {
      for await (const effects of this.steps(effect, signal)) {
        if (signal.aborted) return;
        this.perform(effects());
      }
    } catch (error) {
      if (signal.aborted) return;
      const { refusal, message } = error instanceof NoAccess ? error : new NoAccess("refused", String(error));
      this.perform(this.classic.failed({ stage: STAGES[effect.do], reason: refusal, message }));
    }
  }

  /** Yield what each part of a request's answer leads to. */
  private async *steps(
    effect: Extract<Effect, { do: "transcribe" | "answer" | "speak" }>,
    signal: AbortSignal,
  ): AsyncGenerator<() => Effect[], void> {
    const { classic } = this;
    const { model, voice, speed, transcriptionModel, language } = this.chosen.settings;
    const now = () => performance.now();
    if (effect.do === "transcribe") {
      const told = await transcribe(effect.recording, "recording.wav", { model: transcriptionModel, language }, signal);
      yield () => classic.transcribed(String(told.text ?? ""), now());
    } else if (effect.do === "answer") {
      for await (const delta of chat(model, effect.messages, signal)) yield () => classic.said(delta, now());
      yield () => classic.answered();
    } else {
      for await (const pcm of speech({ model, voice, speed, text: effect.text }, signal)) yield () => classic.sounded(pcm, now());
      yield () => classic.voiced();
    }
  }
}
