/**
 * The classic way of talking, one request after the other: a pure state machine.
 *
 * A recording is written down, the words are answered, the answer is spoken sentence by sentence while the rest of it is
 * still being written.  Each of the three stages may fail by itself, and is then tried again from where it stood; nothing
 * that was said is lost.  `classicTalk.ts` performs the effects.
 */

import type { PlaybackNews } from "../audio/player";
import type { Refusal } from "../realtime/access";
import { type Mark, spokenLength } from "../realtime/captions";
import { note, type Turn } from "../realtime/latency";
import type { Line } from "../realtime/talk";
import { Splitter } from "./sentences";

export type Stage = "words" | "answer" | "voice";

/** Why a stage failed: the server refused, the visitor ended it, or nothing came of it. */
export interface Failure {
  stage: Stage;
  reason: Refusal | "stopped" | "nothing";
  message: string;
}

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

export type Effect =
  | { do: "transcribe"; recording: Blob }
  | { do: "answer"; messages: Message[] }
  | { do: "speak"; text: string }
  | { do: "play"; item: string; pcm: Int16Array<ArrayBuffer> }
  | { do: "end" }
  | { do: "flush" }
  | { do: "abort" };

/** A question and its answer. */
interface Exchange {
  id: string;
  /** Null where the question was written. */
  recording: Blob | null;
  question: string;
  answer: string;
  isWhole: boolean;
  /** The answer in sentences, and how many of them are spoken whole. */
  pieces: string[];
  voiced: number;
  marks: Mark[];
  receivedMs: number;
  playedMs: number;
  /** Whether the answer is to be heard; without sound it is read. */
  isVoiced: boolean;
  /** How much of the answer was heard, in characters. */
  heard: number;
  state: "live" | "done" | "cut" | "failed";
  turn: Turn;
}

const SAMPLES_PER_MS = 24;
/** Exchanges that are kept; older ones leave the page, and what the server is told. */
const MOST = 200;
const UNANSWERED = {
  answer: "",
  isWhole: false,
  pieces: [],
  voiced: 0,
  marks: [],
  receivedMs: 0,
  playedMs: 0,
  isVoiced: false,
  heard: 0,
};

export class Classic {
  turns: Turn[] = [];
  /** The stages that are at work. */
  stages: readonly Stage[] = [];
  failure: Failure | null = null;
  isPlaying = false;
  /** The latest words for people who listen to the page rather than look at it. */
  announcement = "";
  private exchanges: Exchange[] = [];
  private splitter = new Splitter();
  private counted = 0;
  /** Lines that are the same as before are the same objects. */
  private readonly drawn = new WeakMap<Exchange, Line[]>();

  constructor(
    private readonly options: {
      instructions(): string;
      /** Whether there is anything to play sound with. */
      hasSound(): boolean;
    },
  ) {}

  get isAtWork(): boolean {
    return this.stages.length > 0 || this.isPlaying;
  }

  /** What was said, as the captions show it. */
  get lines(): Line[] {
    return this.exchanges.flatMap((exchange) => {
      const known = this.drawn.get(exchange) ?? linesOf(exchange);
      this.drawn.set(exchange, known);
      return known;
    });
  }

  // ---------------------------------------------------------------------------------------------------- the visitor

  /** A recording is complete. */
  record(recording: Blob, now: number): Effect[] {
    const effects = this.stop();
    this.begin(recording, "", "recorded", now);
    return [...effects, ...this.transcribe()];
  }

  /** A question was written. */
  type(question: string, now: number): Effect[] {
    const effects = this.stop();
    this.begin(null, question, "typed", now);
    return [...effects, ...this.answer()];
  }

  /** End whatever is at work; what was said so far stays. */
  stop(): Effect[] {
    const { latest } = this;
    if (latest === null || !this.isAtWork) return [];
    const effects: Effect[] = [];
    if (this.stages.length > 0) effects.push({ do: "abort" });
    if (latest.state === "live") this.replace({ ...latest, state: "cut" });
    if (this.stages.includes("words")) this.failure = { stage: "words", reason: "stopped", message: "" };
    this.stages = [];
    return latest.receivedMs > 0 ? [...effects, { do: "flush" }] : effects;
  }

  /** Try what failed once more, with what was recorded and answered already. */
  retry(now: number): Effect[] {
    const { latest, failure } = this;
    if (latest === null || failure === null) return [];
    this.failure = null;
    if (failure.stage === "voice") {
      this.replace({ ...latest, state: "live" });
      return this.speak();
    }
    // The wait for another attempt is no part of its time.
    const turn: Turn = { ...latest.turn, end: now, at: {} };
    this.turns = this.turns.map((one) => (one === latest.turn ? turn : one));
    this.replace({ ...latest, ...UNANSWERED, turn, state: "live" });
    return failure.stage === "words" ? this.transcribe() : [{ do: "flush" }, ...this.answer()];
  }

  /** Forget everything that was said. */
  clear(): Effect[] {
    const effects = this.stop();
    this.exchanges = [];
    this.turns = [];
    this.failure = null;
    return effects;
  }

  // -------------------------------------------------------------------------------------------------- the requests

  /** The recording was written down. */
  transcribed(words: string, now: number): Effect[] {
    const { latest } = this;
    if (latest === null) return [];
    this.end("words");
    note(latest.turn, "transcribed", now);
    if (words.trim() === "") return this.failed({ stage: "words", reason: "nothing", message: "" });
    this.replace({ ...latest, question: words.trim() });
    return this.answer();
  }

  /** A little more of the answer was written. */
  said(delta: string, now: number): Effect[] {
    const { latest } = this;
    if (latest === null || delta === "") return [];
    note(latest.turn, "firstToken", now);
    const pieces = [...latest.pieces, ...this.splitter.push(delta)];
    this.replace({ ...latest, answer: latest.answer + delta, pieces });
    return this.speak();
  }

  /** The answer is complete. */
  answered(): Effect[] {
    const { latest } = this;
    if (latest === null) return [];
    this.end("answer");
    if (latest.answer.trim() === "") return this.failed({ stage: "answer", reason: "nothing", message: "" });
    this.replace({ ...latest, isWhole: true, pieces: [...latest.pieces, ...this.splitter.finish()] });
    this.announcement = latest.answer;
    return this.speak();
  }

  /** Sound of the sentence that is being spoken. */
  sounded(pcm: Int16Array<ArrayBuffer>, now: number): Effect[] {
    const { latest } = this;
    if (latest === null || pcm.length === 0) return [];
    note(latest.turn, "firstAudio", now);
    this.replace({ ...latest, receivedMs: latest.receivedMs + pcm.length / SAMPLES_PER_MS });
    return [{ do: "play", item: latest.id, pcm }];
  }

  /** A sentence is spoken. */
  voiced(): Effect[] {
    const { latest } = this;
    if (latest === null) return [];
    this.end("voice");
    this.replace({ ...latest, voiced: latest.voiced + 1 });
    return this.speak();
  }

  /** A stage failed. */
  failed(failure: Failure): Effect[] {
    const { latest } = this;
    if (latest === null) return [];
    this.failure = failure;
    this.stages = failure.stage === "voice" ? this.stages.filter((stage) => stage === "answer") : [];
    this.replace({ ...latest, state: failure.stage === "words" && failure.reason === "nothing" ? "done" : "failed" });
    // What was spoken already is heard to its end.
    return failure.stage === "answer" ? [{ do: "abort" }, { do: "end" }] : [{ do: "end" }];
  }

  // --------------------------------------------------------------------------------------------------- the playback

  receivePlayback(news: PlaybackNews, now: number): void {
    const { latest } = this;
    if (news.news === "began") {
      if (news.item === latest?.id) note(latest.turn, "firstSound", now);
      return;
    }
    const played = news.news === "flushed" ? news.playing : news.played;
    if (played !== null) this.advance(played.item, played.ms);
    if (news.news === "flushed") return;
    this.isPlaying = news.isPlaying;
    if (latest !== null && latest.playedMs > 0 && played?.item !== latest.id) this.finish();
  }

  /** Note the words that were heard by now. */
  private advance(id: string, ms: number): void {
    const exchange = this.exchanges.find((one) => one.id === id);
    if (exchange === undefined || ms <= exchange.playedMs) return;
    const heard = spokenLength(exchange.answer, exchange.marks, ms, exchange.receivedMs);
    this.replace({ ...exchange, playedMs: ms, heard: Math.max(exchange.heard, heard) });
  }

  private finish(): void {
    const { latest } = this;
    if (latest === null || latest.state !== "live" || this.stages.length > 0) return;
    this.replace({ ...latest, state: "done", heard: latest.answer.length });
  }

  // ------------------------------------------------------------------------------------------------------ the stages

  private transcribe(): Effect[] {
    this.stages = ["words"];
    return [{ do: "transcribe", recording: this.latest!.recording! }];
  }

  private answer(): Effect[] {
    this.stages = ["answer"];
    this.splitter = new Splitter();
    this.replace({ ...this.latest!, isVoiced: this.options.hasSound() });
    const instructions = this.options.instructions().trim();
    const messages: Message[] = instructions === "" ? [] : [{ role: "system", content: instructions }];
    for (const one of this.exchanges) {
      if (one.question === "") continue;
      messages.push({ role: "user", content: one.question });
      // Of an answer that was cut off, what was heard.
      const answer = one.state === "cut" && one.isVoiced ? one.answer.slice(0, one.heard) : one.answer;
      if (one !== this.latest && answer.trim() !== "") messages.push({ role: "assistant", content: answer.trim() });
    }
    return [{ do: "answer", messages }];
  }

  /** Speak the next sentence, where there is one and none is being spoken. */
  private speak(): Effect[] {
    const latest = this.latest!;
    if (this.stages.includes("voice") || this.failure?.stage === "voice") return [];
    const piece = latest.pieces[latest.voiced];
    const canSpeak = latest.isVoiced && this.options.hasSound();
    if (piece !== undefined && canSpeak) {
      const end = latest.pieces.slice(0, latest.voiced + 1).join("").trimEnd().length;
      this.replace({ ...latest, marks: [...latest.marks, { end, atMs: latest.receivedMs }] });
      this.stages = [...this.stages, "voice"];
      return [{ do: "speak", text: piece.trim() }];
    }
    if (!latest.isWhole) return [];
    if (canSpeak && latest.receivedMs > 0) return [{ do: "end" }];
    this.finish();
    return [];
  }

  private end(stage: Stage): void {
    this.stages = this.stages.filter((one) => one !== stage);
  }

  // ------------------------------------------------------------------------------------------------------ bookkeeping

  private get latest(): Exchange | null {
    return this.exchanges.at(-1) ?? null;
  }

  private begin(recording: Blob | null, question: string, kind: Turn["kind"], now: number): void {
    const id = `classic-${++this.counted}`;
    const turn: Turn = { id, kind, end: now, at: {} };
    this.failure = null;
    this.turns = [...this.turns.slice(-MOST), turn];
    this.exchanges = [...this.exchanges.slice(-MOST), { id, recording, question, ...UNANSWERED, state: "live", turn }];
  }

  private replace(exchange: Exchange): void {
    this.exchanges = this.exchanges.map((one) => (one.id === exchange.id ? exchange : one));
  }
}

function linesOf(exchange: Exchange): Line[] {
  const { id, question, answer, state } = exchange;
  const unwritten = state === "live" || state === "done" ? state : "failed";
  const asked: Line = {
    id: `${id}-question`,
    kind: "user",
    text: question,
    state: question === "" ? unwritten : "done",
    spoken: question.length,
  };
  if (question === "" || (answer === "" && state !== "live")) return [asked];
  const line: Line = {
    id: `${id}-answer`,
    kind: "assistant",
    text: answer,
    // What failed may still come.
    state: state === "failed" ? "live" : state,
    spoken: state === "done" || !exchange.isVoiced ? answer.length : exchange.heard,
  };
  if (state === "cut") line.cutMs = Math.floor(exchange.playedMs);
  return [asked, line];
}
