/**
 * What becomes of a talk, while it is held: both voices, what was said when, and the journal.
 *
 * Pure: it is told everything, with the place on the talk's clock.  That clock counts samples at 24 kHz by the browser's
 * engine of sound, which takes the microphone in and gives the answers out, so that both voices stand on it to the sample.
 */

import { RATE } from "../audio/pcm";
import { bars, type Bar, median, total, type Turn } from "../realtime/latency";
import type { Line } from "../realtime/talk";
import { type ClientEvent, inGaSpelling, number, record, type ServerEvent, text } from "../realtime/wire";
import { Journal, lengthMs, type Side } from "./journal";
import { type Span, Track } from "./track";

const SAMPLES_PER_MS = RATE / 1000;
/** Lines and turns that are kept. */
const MOST = 5000;
/** Of the lines that the page shows, those that may still change. */
const RECENT = 24;

/** A word of an answer, or a few, with where they are heard. */
export interface Piece extends Span {
  text: string;
}

/** Something that happened in a talk: a turn of either voice, a call of a tool, a remark of the page. */
export interface Entry extends Line, Span {
  /** Where it sounds; nowhere for what has no sound. */
  spans: Span[];
  /** The words of an answer, as far as they were heard. */
  pieces: Piece[];
  /** Of the user's turns: how long the answer took to the ear, from its last word to the first sound, which stand there. */
  latency?: Span & { totalMs: number | null; steps: Bar[] };
}

/** A talk that is over. */
export interface Talked {
  /** Ids of its sessions at the server: one, and more after lines that broke. */
  sessions: string[];
  /** When it began, in milliseconds since 1970. */
  began: number;
  length: number;
  user: Track;
  assistant: Track;
  entries: Entry[];
  medianMs: number | null;
  interruptions: number;
  /** What it has cost in US dollars; null where the server does not say. */
  cost: number | null;
  /** Where sound stops to be kept; null where all of it is. */
  keptTo: number | null;
  journal: Journal;
}

/** What is known of an answer's words until it is clear where they sound. */
interface Said {
  characters: number;
  receivedMs: number;
  marks: { end: number; atMs: number }[];
}

interface Noted {
  line: Line;
  from: number;
  to: number;
}

export interface RecorderOptions {
  /** The place of the engine's clock at which the talk's begins. */
  zero: number;
  /** When that is, in milliseconds since 1970. */
  began: number;
  claim: (bytes: number) => boolean;
  /** Silence that a turn's end includes, which is no part of the user's words. */
  silenceMs(): number;
  /** What the page shows of earlier talks. */
  before: { lines: readonly Line[]; turns: readonly Turn[] };
}

export class Recorder {
  private readonly user: Track;
  private readonly assistant: Track;
  private readonly journal = new Journal();
  private readonly sessions: string[] = [];
  private readonly noted = new Map<string, Noted>();
  private readonly turns = new Map<Turn, number>();
  private readonly spoken = new Map<string, Span>();
  private readonly heard = new Map<string, Span[]>();
  private readonly said = new Map<string, Said>();
  private readonly before: Set<Line | Turn | string>;
  /** Samples that had been sent when the server began to count. */
  private counted = 0;
  /** Samples that had been sent when the buffer was last emptied. */
  private emptied = 0;
  private committed: Span | null = null;
  private playing = "";
  private cost: number | null = null;

  constructor(private readonly options: RecorderOptions) {
    this.user = new Track(options.claim);
    this.assistant = new Track(options.claim);
    this.before = new Set([...options.before.turns, ...options.before.lines.map((line) => line.id)]);
  }

  /** Memory that the sound takes. */
  get bytes(): number {
    return this.user.bytes + this.assistant.bytes;
  }

  /** A frame of the microphone was sent, which begins at that place of the engine's clock. */
  sent(pcm: Int16Array, at: number): void {
    this.user.add(at - this.options.zero, pcm);
  }

  /** A piece of an answer was played. */
  played(item: string, pcm: Int16Array, at: number): void {
    const span = this.assistant.add(at - this.options.zero, pcm);
    if (item !== this.playing) {
      this.playing = item;
      this.journal.add("page", { type: "playback.began", item_id: item }, span.from / SAMPLES_PER_MS);
    }
    const spans = this.heard.get(item) ?? [];
    this.heard.set(item, spans);
    const last = spans.at(-1);
    if (last?.to === span.from) last.to = span.to;
    else spans.push(span);
  }

  /** The playback fell silent because it was told to. */
  cut(item: string, playedMs: number, at: number): void {
    this.playing = "";
    const event = { type: "playback.cut", item_id: item, audio_end_ms: Math.floor(playedMs) };
    this.journal.add("page", event, this.place(at) / SAMPLES_PER_MS);
  }

  /** An event was sent, received or made by the page itself. */
  note(from: Side, event: ClientEvent | ServerEvent, at: number): void {
    const place = this.place(at);
    this.journal.add(from, event, place / SAMPLES_PER_MS);
    if (from === "client") this.noteSent(event, place);
    else if (from === "server") this.noteReceived(inGaSpelling(event));
  }

  /** Look at what the page shows; `now` is the time of its own clock in milliseconds. */
  see(lines: readonly Line[], turns: readonly Turn[], at: number, now: number): void {
    const place = this.place(at);
    for (const line of lines.slice(-RECENT)) {
      const known = this.noted.get(line.id);
      if (known?.line === line || this.before.has(line.id)) continue;
      if (known === undefined) {
        if (this.noted.size < MOST) this.noted.set(line.id, { line, from: place, to: place });
      } else {
        const isOver = known.line.state === "live" && line.state !== "live";
        this.noted.set(line.id, { line, from: known.from, to: isOver ? place : known.to });
      }
    }
    for (const turn of turns.slice(-RECENT)) {
      if (this.turns.has(turn) || this.before.has(turn) || this.turns.size >= MOST) continue;
      this.turns.set(turn, Math.max(0, place - Math.round((now - turn.end) * SAMPLES_PER_MS)));
    }
  }

  /** Return the talk, which is over. */
  finish(at: number): Talked {
    const entries = [...this.noted.values()].map((noted) => this.entry(noted)).sort((a, b) => a.from - b.from);
    const answers = entries.filter((entry) => entry.kind === "assistant" && entry.spans.length > 0);
    for (const { latency } of entries) {
      if (latency !== undefined) latency.to = answers.find((answer) => answer.from >= latency.from)?.from ?? latency.from;
    }
    const kept = [this.user.keptTo, this.assistant.keptTo].filter((place) => place !== null);
    return {
      sessions: this.sessions,
      began: this.options.began,
      length: Math.max(this.user.end, this.assistant.end, this.place(at)),
      user: this.user,
      assistant: this.assistant,
      entries,
      medianMs: median([...this.turns.keys()].map(total).filter((ms) => ms !== null)),
      interruptions: entries.filter((entry) => entry.kind === "assistant" && entry.state === "cut").length,
      cost: this.cost,
      keptTo: kept.length === 0 ? null : Math.min(...kept),
      journal: this.journal,
    };
  }

  private place(at: number): number {
    return Math.max(0, at - this.options.zero);
  }

  private noteSent(event: ClientEvent, place: number): void {
    if (event.type === "input_audio_buffer.clear") this.emptied = this.user.count;
    if (event.type !== "input_audio_buffer.commit") return;
    const from = this.user.count > this.emptied ? this.user.placeOf(this.emptied) : place;
    this.committed = { from, to: Math.max(from, this.user.end) };
    this.emptied = this.user.count;
  }

  private noteReceived(event: ServerEvent): void {
    const item = text(event.item_id);
    switch (event.type) {
      case "session.created": {
        const id = text(record(event.session).id);
        if (id !== "" && !this.sessions.includes(id)) this.sessions.push(id);
        // The server counts the audio of each connection anew.
        this.counted = this.emptied = this.user.count;
        break;
      }
      case "input_audio_buffer.speech_started": {
        const from = this.heardAt(event.audio_start_ms);
        this.spoken.set(item, { from, to: from });
        break;
      }
      case "input_audio_buffer.speech_stopped": {
        const span = this.spoken.get(item);
        const end = this.heardAt((number(event.audio_end_ms) ?? 0) - this.options.silenceMs());
        if (span !== undefined) span.to = Math.max(span.from, end);
        break;
      }
      case "input_audio_buffer.committed":
        if (this.committed !== null && !this.spoken.has(item)) this.spoken.set(item, this.committed);
        this.committed = null;
        break;
      case "response.output_audio_transcript.delta": {
        const said = this.saidOf(item);
        said.characters += text(event.delta).length;
        said.marks.push({ end: said.characters, atMs: said.receivedMs });
        break;
      }
      case "response.done": {
        const cost = record(record(record(event.response).usage).cost);
        this.cost = number(cost.session_usd) ?? this.cost;
        break;
      }
      case "response.output_audio.delta":
        this.saidOf(item).receivedMs += lengthMs(text(event.delta));
        break;
    }
  }

  /** Return the place at which a position of the server's clock was heard. */
  private heardAt(ms: unknown): number {
    return this.user.placeOf(this.counted + Math.round((number(ms) ?? 0) * SAMPLES_PER_MS));
  }

  private saidOf(item: string): Said {
    const found = this.said.get(item) ?? { characters: 0, receivedMs: 0, marks: [] };
    this.said.set(item, found);
    return found;
  }

  private entry({ line, from, to }: Noted): Entry {
    const turn = [...this.turns].find(([one]) => one.id === line.id);
    const latency =
      turn === undefined ? {} : { latency: { from: turn[1], to: turn[1], totalMs: total(turn[0]), steps: bars(turn[0]) } };
    const own = this.spoken.get(line.id);
    const spans = line.kind === "user" && own !== undefined ? [own] : (this.heard.get(line.id) ?? []);
    const begin = spans[0]?.from ?? (line.kind === "user" ? (turn?.[1] ?? from) : from);
    const end = spans.at(-1)?.to ?? (line.kind === "tool" ? to : begin);
    return { ...line, ...latency, from: begin, to: Math.max(begin, end), spans, pieces: this.pieces(line, spans) };
  }

  /** Return the words of an answer as far as they were heard, each with its place. */
  private pieces(line: Line, spans: readonly Span[]): Piece[] {
    const said = this.said.get(line.id);
    if (said === undefined || spans.length === 0) return [];
    const pieces: Piece[] = [];
    let begin = 0;
    for (const [i, mark] of said.marks.entries()) {
      // Pieces that came together share the sound that follows them.
      if (said.marks[i + 1]?.atMs === mark.atMs) continue;
      const from = placeIn(spans, mark.atMs);
      const to = placeIn(spans, said.marks[i + 1]?.atMs ?? said.receivedMs);
      if (to > from) pieces.push({ text: line.text.slice(begin, Math.min(mark.end, line.spoken)), from, to });
      begin = mark.end;
    }
    return pieces.filter((piece) => piece.text.trim() !== "");
  }
}

/** Return the place at which a position of an answer's sound was played; its end for what was not. */
function placeIn(spans: readonly Span[], ms: number): number {
  let left = Math.round(ms * SAMPLES_PER_MS);
  for (const { from, to } of spans) {
    if (left <= to - from) return from + left;
    left -= to - from;
  }
  return spans.at(-1)!.to;
}
