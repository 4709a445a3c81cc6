/** What was said, word by word with how sure the recogniser is: pure, from a live session's events or a file's answer. */

import { list, number, record, type ServerEvent, text } from "../realtime/wire";

export interface Word {
  text: string;
  /** From 0 to 1; null where the server does not say. */
  probability: number | null;
  /** From the beginning of the recording; null where the server does not say. */
  startMs: number | null;
  endMs: number | null;
}

export interface Utterance {
  id: string;
  startMs: number | null;
  /** Null while it is being said. */
  endMs: number | null;
  words: readonly Word[];
  /** `live` while more of it may come, `failed` when it was not written down or the line broke. */
  state: "live" | "done" | "failed";
}

export type Sureness = "sure" | "fair" | "poor" | "unknown";

const SURE = 0.8;
const FAIR = 0.5;

export function surenessOf(probability: number | null): Sureness {
  if (probability === null) return "unknown";
  return probability >= SURE ? "sure" : probability >= FAIR ? "fair" : "poor";
}

export class Transcript {
  utterances: readonly Utterance[] = [];

  constructor(private readonly recordedMs: (serverMs: number) => number) {}

  get isAwaited(): boolean {
    return this.utterances.some(({ state }) => state === "live");
  }

  /** Take in an event of a live session; `endMs` is the end of what was recorded so far. */
  receive(event: ServerEvent, endMs: number): void {
    const id = text(event.item_id);
    switch (event.type) {
      case "input_audio_buffer.speech_started":
        return this.replace({ ...this.found(id), startMs: this.time(event.audio_start_ms) });
      case "input_audio_buffer.speech_stopped":
        return this.replace({ ...this.found(id), endMs: this.time(event.audio_end_ms) });
      case "input_audio_buffer.committed": {
        const utterance = this.found(id);
        return this.replace({ ...utterance, endMs: utterance.endMs ?? endMs });
      }
      case "conversation.item.input_audio_transcription.delta": {
        const utterance = this.found(id);
        const words = joined(utterance.words, text(event.delta), list(event.logprobs));
        return this.replace({ ...utterance, words });
      }
      case "conversation.item.input_audio_transcription.completed": {
        const utterance = this.found(id);
        const words = joined([], text(event.transcript), list(event.logprobs));
        if (words.length === 0) this.utterances = this.utterances.filter((one) => one.id !== id);
        else this.replace({ ...utterance, words, endMs: utterance.endMs ?? endMs, state: "done" });
        return;
      }
      case "conversation.item.input_audio_transcription.failed":
        return this.replace({ ...this.found(id), state: "failed" });
    }
  }

  /** No more will come of what is unfinished: the session is over, or the line broke. */
  lose(endMs: number): void {
    this.utterances = this.utterances
      .filter(({ state, words }) => state !== "live" || words.length > 0)
      .map((one) => (one.state === "live" ? { ...one, endMs: one.endMs ?? endMs, state: "failed" } : one));
  }

  /** Take what a file says. */
  read(body: unknown): void {
    this.utterances = [...this.utterances, ...utterancesOf(record(body), `file-${this.utterances.length}`)];
  }

  private time(serverMs: unknown): number | null {
    const ms = number(serverMs);
    return ms === null ? null : this.recordedMs(ms);
  }

  private found(id: string): Utterance {
    const known = this.utterances.find((one) => one.id === id);
    return known ?? { id, startMs: null, endMs: null, words: [], state: "live" };
  }

  private replace(utterance: Utterance): void {
    const isKnown = this.utterances.some((one) => one.id === utterance.id);
    this.utterances = isKnown
      ? this.utterances.map((one) => (one.id === utterance.id ? utterance : one))
      : [...this.utterances, utterance];
  }
}

/** Return words with more of their text; each token that does not begin with a blank goes on with the word before. */
function joined(before: readonly Word[], more: string, logprobs: readonly unknown[]): Word[] {
  const words = before.map((word) => ({ ...word }));
  for (const { token, probability } of tokensOf(more, logprobs)) {
    const last = words.at(-1);
    if (last === undefined || /^\s/.test(token)) {
      if (token.trim() !== "") words.push({ text: token.trim(), probability, startMs: null, endMs: null });
      continue;
    }
    last.text += token.trimEnd();
    last.probability = last.probability === null || probability === null ? null : last.probability * probability;
  }
  return words;
}

/** Return the tokens of a text; where they do not make it up, its words without probabilities. */
function tokensOf(whole: string, logprobs: readonly unknown[]): { token: string; probability: number | null }[] {
  const tokens = logprobs.map((one) => {
    const logprob = number(record(one).logprob);
    return { token: text(record(one).token), probability: logprob === null ? null : Math.min(1, Math.exp(logprob)) };
  });
  if (tokens.map(({ token }) => token).join("").trim() === whole.trim() && tokens.length > 0) return tokens;
  return (whole.match(/\s*\S+/g) ?? []).map((token) => ({ token, probability: null }));
}

/** Return the utterances of a file's transcript: its segments, with the words that lie in them. */
function utterancesOf(body: Record<string, unknown>, prefix: string): Utterance[] {
  const ms = (value: unknown) => {
    const seconds = number(value);
    return seconds === null ? null : Math.round(seconds * 1000);
  };
  const words: Word[] = list(body.words).map((one) => {
    const word = record(one);
    return { text: text(word.word).trim(), probability: number(word.probability), startMs: ms(word.start), endMs: ms(word.end) };
  });
  const segments = list(body.segments).map(record);
  const found = segments.length > 0 ? segments : text(body.text).trim() === "" ? [] : [{ start: 0, end: body.duration, text: body.text }];
  return found.map((segment, i): Utterance => {
    const until = i + 1 < found.length ? (ms(found[i + 1]!.start) ?? Infinity) : Infinity;
    const own = words.splice(0, words.findIndex(({ startMs }) => (startMs ?? 0) >= until) >>> 0);
    const spoken = own.length > 0 ? own : joined([], text(segment.text), []);
    return { id: `${prefix}-${i}`, startMs: ms(segment.start), endMs: ms(segment.end), words: spoken, state: "done" };
  });
}
