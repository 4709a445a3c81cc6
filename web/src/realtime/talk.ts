/**
 * A conversation as the page knows it: a pure state machine.
 *
 * It is told what happened (an event, word of the playback, what the user did) and when, keeps what is to be shown, and
 * returns what is to be done as a short list of effects, which `session.ts` performs.
 */

import type { PlaybackNews } from "../audio/player";
import { type Mark, spokenLength } from "./captions";
import { note, type Turn } from "./latency";
import { PlayedThere } from "./playedThere";
import { type ClientEvent, inGaSpelling, list, number, record, type ServerEvent, text } from "./wire";

export type Effect =
  | { do: "send"; event: ClientEvent }
  | { do: "play"; item: string; part: number; audio: string }
  | { do: "end" }
  | { do: "flush" }
  | { do: "duck"; softly: boolean }
  /** Silence what the server plays, of which some is still on its way, or let it be heard again. */
  | { do: "hush"; isHushed: boolean }
  | { do: "call"; callId: string; name: string; arguments: string };

export interface Line {
  id: string;
  kind: "user" | "assistant" | "tool" | "note";
  text: string;
  /** `live` while it is still being said, `cut` when it was interrupted, `failed` when it went wrong. */
  state: "live" | "done" | "cut" | "failed";
  /** How much of the text was spoken: all, unless it is being played or was interrupted. */
  spoken: number;
  /** Milliseconds after which an interrupted answer fell silent. */
  cutMs?: number;
  tool?: { name: string; arguments: string; output?: string };
}

/** What is known of an answer's sound, until it was played or cut. */
interface Sound {
  marks: Mark[];
  receivedMs: number;
  playedMs: number;
  isWhole: boolean;
}

export interface Clock {
  /** The time at which the microphone's sample of that position was heard; null where it is not known. */
  timeOf(audioMs: number): number | null;
}

export interface TalkOptions {
  clock: Clock;
  /** Silence that a turn's end includes, which is no part of the user's words. */
  silenceMs(): number;
  /** Whether speech interrupts an answer. */
  isInterruptible(): boolean;
  /** Whether the server plays the answers, tells of it and cuts them, as by WebRTC; otherwise the page does. */
  isPlayedThere(): boolean;
  /** Milliseconds from the server's word that an answer sounds until it does here. */
  soundDelayMs(): number;
}

const BYTES_PER_MS = 48;
/** Lines and turns that are kept; older ones leave the page. */
const MOST = 500;

export class Talk {
  lines: Line[] = [];
  turns: Turn[] = [];
  /** What the session has cost in US dollars; null where the server does not say. */
  cost: number | null = null;
  isUserSpeaking = false;
  isAnswering = false;
  isPlaying = false;
  /** The latest words for people who listen to the page rather than look at it. */
  announcement = "";

  private readonly sounds = new Map<string, Sound>();
  /** Items of which no more sound is wanted. */
  private readonly dead = new Set<string>();
  private readonly deadResponses = new Set<string>();
  private readonly turnOfResponse = new Map<string, Turn>();
  private readonly responseOfItem = new Map<string, string>();
  private readonly partOfItem = new Map<string, number>();
  private responseId = "";
  private readonly there = new PlayedThere();
  private openCalls = new Set<string>();
  /** Whether an answer is owed to the outputs of calls. */
  private owesAnswer = false;
  private notes = 0;

  constructor(private readonly options: TalkOptions) {}

  /** Take in an event of the server. */
  receive(wire: ServerEvent, now: number): Effect[] {
    const event = inGaSpelling(wire);
    switch (event.type) {
      case "input_audio_buffer.speech_started":
        return this.speechStarted();
      case "output_audio_buffer.started":
      case "output_audio_buffer.stopped":
      case "output_audio_buffer.cleared":
      case "conversation.item.truncated":
      case "conversation.item.retrieved":
        return this.options.isPlayedThere() ? this.playedThere(event, now) : [];
      case "input_audio_buffer.speech_stopped":
        return this.speechStopped(event, now);
      case "input_audio_buffer.committed":
        return this.committed(event, now);
      case "conversation.item.input_audio_transcription.delta":
        return this.heardWords(event);
      case "conversation.item.input_audio_transcription.completed":
        return this.transcribed(event, now);
      case "conversation.item.input_audio_transcription.failed":
        return this.notTranscribed(event);
      case "response.created":
        return this.answerBegan(event, now);
      case "response.output_item.added":
        return this.itemBegan(event);
      case "response.output_audio_transcript.delta":
      case "response.output_text.delta":
        return this.said(event, now);
      case "response.output_audio.delta":
        return this.sounded(event, now);
      case "response.output_audio.done":
        return this.soundIsWhole(event);
      case "response.output_item.done":
        return this.itemDone(event);
      case "response.done":
        return this.answerDone(event);
      case "output_audio_buffer.ducked":
        return this.options.isPlayedThere() ? [] : [{ do: "duck", softly: true }];
      case "output_audio_buffer.restored":
        return this.options.isPlayedThere() ? [] : [{ do: "duck", softly: false }];
      case "error":
        return this.failed(event);
      default:
        return [];
    }
  }

  /** Take in word of the playback. */
  receivePlayback(news: PlaybackNews, now: number): Effect[] {
    if (news.news === "began") {
      note(this.turnOfResponse.get(this.responseOfItem.get(news.item) ?? ""), "firstSound", now);
      return [];
    }
    if (news.news === "flushed") return this.fellSilent(news.playing, news.unheard);
    this.isPlaying = news.isPlaying;
    if (news.played !== null) this.advance(news.played.item, news.played.ms);
    // What was played before the item that is heard now, or before silence, was played to its end.
    for (const [item, sound] of this.sounds) {
      if (item !== news.played?.item && sound.isWhole && sound.playedMs > 0 && !this.dead.has(item)) this.finish(item);
    }
    return [];
  }

  /** Learn that time has passed, while the server plays. */
  receiveTime(now: number): void {
    for (const { id, spoken } of this.there.places(this.wordsThere(), now)) this.light(id, spoken);
  }

  /** Say something in writing. */
  type(words: string, now: number): Effect[] {
    const turn = this.begin({ id: `typed-${now}`, kind: "typed", end: now, at: {} });
    this.add({ id: turn.id, kind: "user", text: words, state: "done", spoken: words.length });
    const content = [{ type: "input_text", text: words }];
    return [
      ...this.interrupt(),
      { do: "send", event: { type: "conversation.item.create", item: { type: "message", role: "user", content } } },
      { do: "send", event: { type: "response.create" } },
    ];
  }

  /** The button to talk is held. */
  hold(): Effect[] {
    this.isUserSpeaking = true;
    return [...this.interrupt(), { do: "send", event: { type: "input_audio_buffer.clear" } }];
  }

  /** The button to talk is let go, after something was said. */
  release(now: number): Effect[] {
    this.isUserSpeaking = false;
    this.begin({ id: `pushed-${now}`, kind: "pushed", end: now, at: {} });
    return [
      { do: "send", event: { type: "input_audio_buffer.commit" } },
      { do: "send", event: { type: "response.create" } },
    ];
  }

  /** The button was held too short a time for a word. */
  abandon(): Effect[] {
    this.isUserSpeaking = false;
    return [{ do: "send", event: { type: "input_audio_buffer.clear" } }];
  }

  /** End the answer, because the user wants it so. */
  interrupt(): Effect[] {
    const effects: Effect[] = [];
    if (this.isAnswering) effects.push({ do: "send", event: { type: "response.cancel" } });
    if (!this.options.isPlayedThere()) return [...effects, ...this.flush()];
    if (!this.isAnswering && !this.isPlaying) return effects;
    const clear = { type: "output_audio_buffer.clear" };
    return [...effects, { do: "send", event: clear }, { do: "hush", isHushed: true }];
  }

  /** A tool's output is there. */
  answerCall(callId: string, output: string): Effect[] {
    const line = this.lines.find((one) => one.id === callId);
    if (line?.tool) {
      this.replace({ ...line, state: "done", tool: { ...line.tool, output } });
    }
    this.openCalls.delete(callId);
    const item = { type: "function_call_output", call_id: callId, output };
    const effects: Effect[] = [{ do: "send", event: { type: "conversation.item.create", item } }];
    return [...effects, ...this.goOn()];
  }

  /** Tell the user something that is no part of the conversation. */
  remark(words: string, state: Line["state"] = "done"): void {
    this.notes += 1;
    this.add({ id: `note-${this.notes}`, kind: "note", text: words, state, spoken: words.length });
    this.announcement = words;
  }

  /** The line broke: what was received is played to its end, and no more of it comes. */
  lose(): Effect[] {
    this.rest();
    this.cutThere();
    for (const sound of this.sounds.values()) sound.isWhole = true;
    this.lines = this.lines.map((line) => (line.state === "live" && !this.hasSound(line.id) ? closed(line) : line));
    return [{ do: "end" }];
  }

  /** The conversation is over, and the sound with it. */
  end(): void {
    this.rest();
    this.cutThere();
    this.isPlaying = false;
    this.lines = this.lines.map((line) => {
      if (line.state !== "live") return line;
      const sound = this.sounds.get(line.id);
      return sound?.receivedMs ? { ...line, state: "cut", cutMs: Math.floor(sound.playedMs) } : closed(line);
    });
  }

  private rest(): void {
    this.isUserSpeaking = false;
    this.isAnswering = false;
    this.owesAnswer = false;
    this.openCalls.clear();
  }

  // ------------------------------------------------------------------------------------------------- the user speaks

  private speechStarted(): Effect[] {
    this.isUserSpeaking = true;
    if (!this.options.isInterruptible()) return [];
    if (!this.options.isPlayedThere()) return this.flush();
    return this.isPlaying || this.isAnswering ? [{ do: "hush", isHushed: true }] : [];
  }

  private speechStopped(event: ServerEvent, now: number): Effect[] {
    this.isUserSpeaking = false;
    const endMs = number(event.audio_end_ms);
    const heardAt = endMs === null ? null : this.options.clock.timeOf(endMs - this.options.silenceMs());
    const end = Math.min(now, heardAt ?? now);
    const turn = this.begin({ id: text(event.item_id), kind: "spoken", end, at: {} });
    note(turn, "stopped", now);
    return this.unhush();
  }

  private committed(event: ServerEvent, now: number): Effect[] {
    const id = text(event.item_id);
    const turn = this.turns.at(-1);
    if (turn?.kind === "pushed" && turn.at.committed === undefined) turn.id = id;
    if (turn?.id === id) note(turn, "committed", now);
    this.userLine(id);
    return [];
  }

  private userLine(id: string): Line {
    const found = this.lines.find((line) => line.id === id);
    return found ?? this.add({ id, kind: "user", text: "", state: "live", spoken: 0 });
  }

  private heardWords(event: ServerEvent): Effect[] {
    const line = this.userLine(text(event.item_id));
    const words = line.text + text(event.delta);
    this.replace({ ...line, text: words, spoken: words.length });
    return [];
  }

  private transcribed(event: ServerEvent, now: number): Effect[] {
    const id = text(event.item_id);
    const words = text(event.transcript);
    note(
      this.turns.find((turn) => turn.id === id),
      "transcribed",
      now,
    );
    this.replace({ ...this.userLine(id), text: words, state: "done", spoken: words.length });
    return [];
  }

  private notTranscribed(event: ServerEvent): Effect[] {
    this.replace({ ...this.userLine(text(event.item_id)), state: "failed" });
    return [];
  }

  // ------------------------------------------------------------------------------------------------ the server answers

  private answerBegan(event: ServerEvent, now: number): Effect[] {
    this.responseId = text(record(event.response).id);
    this.isAnswering = true;
    const turn = this.turns.at(-1);
    if (turn !== undefined && turn.at.firstSound === undefined) {
      note(turn, "created", now);
      this.turnOfResponse.set(this.responseId, turn);
    }
    return this.unhush();
  }

  private itemBegan(event: ServerEvent): Effect[] {
    const item = record(event.item);
    const id = text(item.id);
    this.responseOfItem.set(id, text(event.response_id));
    if (item.type === "message" && item.role === "assistant") this.assistantLine(id);
    if (item.type === "mcp_call") {
      const tool = { name: text(item.name), arguments: text(item.arguments) };
      this.add({ id, kind: "tool", text: "", state: "live", spoken: 0, tool });
    }
    return [];
  }

  private assistantLine(id: string): Line {
    const found = this.lines.find((line) => line.id === id);
    return found ?? this.add({ id, kind: "assistant", text: "", state: "live", spoken: 0 });
  }

  private soundOf(id: string): Sound {
    const found = this.sounds.get(id) ?? { marks: [], receivedMs: 0, playedMs: 0, isWhole: false };
    this.sounds.set(id, found);
    return found;
  }

  private hasSound(id: string): boolean {
    const sound = this.sounds.get(id);
    return sound !== undefined && (sound.receivedMs > 0 || this.options.isPlayedThere());
  }

  private said(event: ServerEvent, now: number): Effect[] {
    const id = text(event.item_id);
    note(this.turnOfResponse.get(text(event.response_id)), "firstToken", now);
    const line = this.assistantLine(id);
    if (line.state === "cut") return [];
    const words = line.text + text(event.delta);
    if (event.type === "response.output_text.delta") {
      this.replace({ ...line, text: words, spoken: words.length });
      return [];
    }
    const sound = this.soundOf(id);
    sound.marks.push({ end: words.length, atMs: sound.receivedMs });
    this.replace({ ...line, text: words });
    return [];
  }

  private sounded(event: ServerEvent, now: number): Effect[] {
    const id = text(event.item_id);
    const audio = text(event.delta);
    note(this.turnOfResponse.get(text(event.response_id)), "firstAudio", now);
    if (this.dead.has(id) || this.deadResponses.has(text(event.response_id))) return [];
    const padding = audio.endsWith("==") ? 2 : audio.endsWith("=") ? 1 : 0;
    this.soundOf(id).receivedMs += ((audio.length / 4) * 3 - padding) / BYTES_PER_MS;
    const part = number(event.content_index) ?? 0;
    this.partOfItem.set(id, part);
    return [{ do: "play", item: id, part, audio }];
  }

  private soundIsWhole(event: ServerEvent): Effect[] {
    const id = text(event.item_id);
    this.soundOf(id).isWhole = true;
    return this.dead.has(id) ? [] : [{ do: "end" }];
  }

  private itemDone(event: ServerEvent): Effect[] {
    const item = record(event.item);
    const id = text(item.id);
    if (item.type === "function_call" && item.status !== "incomplete") {
      const callId = text(item.call_id);
      const call = { name: text(item.name), arguments: text(item.arguments) };
      this.add({ id: callId, kind: "tool", text: "", state: "live", spoken: 0, tool: call });
      this.openCalls.add(callId);
      this.owesAnswer = true;
      return [{ do: "call", callId, ...call }];
    }
    const line = this.lines.find((one) => one.id === id);
    if (item.type === "mcp_call" && line?.tool) {
      const output = text(item.output) || text(record(item.error).message);
      const tool = { name: text(item.name), arguments: text(item.arguments), output };
      this.replace({ ...line, state: item.error ? "failed" : "done", tool });
    } else if (line !== undefined && line.state === "live" && !this.hasSound(id)) {
      this.replace({ ...line, state: "done", spoken: line.text.length });
      this.announcement = line.text;
    }
    return [];
  }

  private answerDone(event: ServerEvent): Effect[] {
    const response = record(event.response);
    const id = text(response.id);
    if (id === this.responseId) this.isAnswering = false;
    const cost = record(record(response.usage).cost);
    this.cost = number(cost.session_usd) ?? this.cost;
    const effects: Effect[] = [{ do: "end" }];
    for (const item of list(response.output)) {
      const sound = this.sounds.get(text(record(item).id));
      if (sound !== undefined) sound.isWhole = true;
    }
    if (response.status === "failed") {
      const error = record(record(response.status_details).error);
      this.remark(text(error.message) || text(error.code) || "The answer failed.", "failed");
    }
    if (response.status === "cancelled") {
      this.owesAnswer = false;
      this.endSilentLines(id);
    }
    return [...effects, ...this.goOn()];
  }

  /** Close the lines of a cancelled answer of which nothing will be heard. */
  private endSilentLines(responseId: string): void {
    for (const line of this.lines) {
      const isIts = this.responseOfItem.get(line.id) === responseId && line.kind === "assistant";
      const isHeard = this.options.isPlayedThere() ? this.there.response === responseId : this.hasSound(line.id);
      if (!isIts || line.state !== "live" || isHeard) continue;
      if (line.text === "") this.lines = this.lines.filter((one) => one !== line);
      else this.replace({ ...line, state: "cut", spoken: 0, cutMs: 0 });
    }
  }

  /** Ask for an answer to the outputs of calls when all of them are there. */
  private goOn(): Effect[] {
    if (!this.owesAnswer || this.openCalls.size > 0 || this.isAnswering) return [];
    this.owesAnswer = false;
    return [{ do: "send", event: { type: "response.create" } }];
  }

  private failed(event: ServerEvent): Effect[] {
    const error = record(event.error);
    // The answer was over before the cancellation arrived, and extensions that other servers lack are no matter.
    if (error.code === "response_cancel_not_active" || text(error.event_id).startsWith("optional")) return [];
    this.remark(text(error.message) || "The server told of an error without words.", "failed");
    return [];
  }

  // ---------------------------------------------------------------------------------------------------- what is played

  private flush(): Effect[] {
    const unfinished = [...this.sounds.keys()].filter(
      (item) => !this.dead.has(item) && this.lines.find((line) => line.id === item)?.state === "live",
    );
    // What is still on its way would start the sound again.
    if (this.isAnswering) this.deadResponses.add(this.responseId);
    for (const item of unfinished) this.dead.add(item);
    return unfinished.length > 0 || this.isPlaying ? [{ do: "flush" }, { do: "duck", softly: false }] : [];
  }

  private fellSilent(playing: { item: string; part: number; ms: number } | null, unheard: string[]): Effect[] {
    const cuts = unheard.map((item) => ({ item, part: this.partOfItem.get(item) ?? 0, ms: 0 }));
    if (playing !== null) cuts.unshift(playing);
    this.isPlaying = false;
    const effects: Effect[] = [];
    for (const { item, part, ms } of cuts) {
      const cutMs = Math.floor(ms);
      this.advance(item, ms);
      this.dead.add(item);
      this.sounds.delete(item);
      const line = this.lines.find((one) => one.id === item);
      if (line !== undefined) {
        this.replace({ ...line, state: "cut", cutMs });
        this.announcement = line.text.slice(0, line.spoken);
      }
      effects.push({
        do: "send",
        event: { type: "conversation.item.truncate", item_id: item, content_index: part, audio_end_ms: cutMs },
      });
    }
    return effects;
  }

  private advance(item: string, ms: number): void {
    const sound = this.sounds.get(item);
    const line = this.lines.find((one) => one.id === item);
    if (sound === undefined || line === undefined || line.state !== "live") return;
    sound.playedMs = Math.max(sound.playedMs, ms);
    const spoken = spokenLength(line.text, sound.marks, sound.playedMs, sound.receivedMs);
    if (spoken > line.spoken) this.replace({ ...line, spoken });
  }

  private finish(item: string): void {
    this.sounds.delete(item);
    const line = this.lines.find((one) => one.id === item);
    if (line === undefined || line.state !== "live") return;
    this.replace({ ...line, state: "done", spoken: line.text.length });
    this.announcement = line.text;
  }

  // ------------------------------------------------------------------------------------------- what the server plays

  private playedThere(event: ServerEvent, now: number): Effect[] {
    const response = text(event.response_id);
    switch (event.type) {
      case "output_audio_buffer.started":
        return this.soundBeganThere(response, now + this.options.soundDelayMs());
      case "output_audio_buffer.stopped":
        return this.soundEndedThere(response, now + this.options.soundDelayMs());
      case "output_audio_buffer.cleared":
        this.receiveTime(now);
        this.cutThere();
        this.isPlaying = false;
        return [];
      case "conversation.item.truncated":
        return this.truncatedThere(event);
      default:
        return this.keptThere(record(event.item));
    }
  }

  /** What follows speech or the next answer: by now nothing of the last one is on its way any more. */
  private unhush(): Effect[] {
    return this.options.isPlayedThere() ? [{ do: "hush", isHushed: false }] : [];
  }

  /** The item that the server plays now; empty where it plays none. */
  get itemThere(): string {
    const words = this.wordsThere();
    return (this.there.places(words).at(-1) ?? words[0])?.id ?? "";
  }

  private wordsThere(): Line[] {
    const { response } = this.there;
    if (response === "") return [];
    return this.lines.filter((line) => line.kind === "assistant" && this.responseOfItem.get(line.id) === response);
  }

  private soundBeganThere(response: string, heardAt: number): Effect[] {
    for (const line of this.wordsThere()) this.finish(line.id);
    this.there.begin(response, heardAt);
    this.isPlaying = true;
    note(this.turnOfResponse.get(response), "firstSound", heardAt);
    return this.unhush();
  }

  private soundEndedThere(response: string, heardAt: number): Effect[] {
    if (response !== this.there.response) return [];
    const words = this.wordsThere();
    this.there.finish(words, heardAt);
    for (const line of words) this.finish(line.id);
    this.isPlaying = false;
    return [];
  }

  /** What the server played was cut where it is now; to the millisecond that is told in an event of its own. */
  private cutThere(): void {
    const words = this.wordsThere();
    const places = this.there.places(words);
    this.there.stop();
    for (const line of words) {
      this.sounds.delete(line.id);
      const ms = places.find(({ id }) => id === line.id)?.ms ?? 0;
      if (line.state === "live") this.replace({ ...line, state: "cut", cutMs: Math.floor(ms) });
    }
  }

  private truncatedThere(event: ServerEvent): Effect[] {
    const id = text(event.item_id);
    const line = this.lines.find((one) => one.id === id);
    if (line?.kind !== "assistant") return [];
    const cutMs = number(event.audio_end_ms) ?? 0;
    const spoken = this.there.spokenAt(line.text, cutMs);
    this.sounds.delete(id);
    this.replace({ ...line, state: "cut", cutMs, spoken });
    this.announcement = line.text.slice(0, spoken);
    // Some servers know which words were heard.
    return [{ do: "send", event: { type: "conversation.item.retrieve", event_id: `optional-kept-${id}`, item_id: id } }];
  }

  private keptThere(item: Record<string, unknown>): Effect[] {
    const line = this.lines.find((one) => one.id === item.id);
    const kept = list(item.content)
      .map((part) => text(record(part).transcript))
      .join("")
      .trimEnd();
    if (line?.state === "cut" && kept !== "" && line.text.startsWith(kept)) {
      this.replace({ ...line, spoken: kept.length });
      this.announcement = kept;
    }
    return [];
  }

  private light(id: string, spoken: number): void {
    const line = this.lines.find((one) => one.id === id);
    if (line?.state === "live" && spoken > line.spoken) this.replace({ ...line, spoken });
  }

  // -------------------------------------------------------------------------------------------------------- bookkeeping

  private begin(turn: Turn): Turn {
    this.turns = [...this.turns.slice(-MOST), turn];
    return turn;
  }

  private add(line: Line): Line {
    this.lines = [...this.lines.slice(-MOST), line];
    return line;
  }

  private replace(line: Line): void {
    this.lines = this.lines.map((one) => (one.id === line.id ? line : one));
  }
}

function closed(line: Line): Line {
  return { ...line, state: "done", spoken: line.text.length };
}
