/** A talk in writing: as a text, as JSON, and as captions. */

import { RATE } from "../audio/pcm";
import { texts } from "../texts";
import type { Entry, Piece, Talked } from "./recorder";

const ms = (samples: number) => Math.round((samples / RATE) * 1000);
/** Letters of a caption, two lines of what films have. */
const CAPTION = 80;
/** How long a caption stays that belongs to no sound, such as what was written. */
const WRITTEN_MS = 2000;

/** Return a place as people read it: 1:02.4, or 1:00:02.4. */
export function clock(samples: number, digits = 1): string {
  const tenths = 10 ** digits;
  const all = Math.floor((samples / RATE) * tenths) / tenths;
  const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  const rest = seconds.toFixed(digits).padStart(digits === 0 ? 2 : 3 + digits, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 2 : 1)} s`;
}

/** Return who or what an entry is of. */
export function nameOf(entry: Entry): string {
  if (entry.kind === "tool") return entry.tool!.name;
  return { user: texts.you, assistant: texts.assistant, note: texts.review.remark }[entry.kind];
}

/** Return an entry's words as far as they were spoken. */
export function wordsOf(entry: Entry): string {
  if (entry.kind === "tool") return `${entry.tool!.arguments} → ${entry.tool!.output ?? texts.review.noResult}`;
  if (entry.kind === "user" && entry.state === "failed") return `(${texts.notTranscribed})`;
  if (entry.kind === "user" && entry.text === "") return `(${texts.notHeard})`;
  return entry.text.slice(0, entry.state === "cut" ? entry.spoken : undefined).trim();
}

function remarkOf(entry: Entry): string {
  if (entry.state !== "cut") return "";
  const where = entry.cutMs ? texts.cut((entry.cutMs / 1000).toFixed(1)) : texts.cutAtOnce;
  const rest = entry.text.slice(entry.spoken).trim();
  return ` [${where}${rest === "" ? "" : `. ${texts.unheardWords} ${rest}`}]`;
}

/** Return the talk as people read it. */
export function toText(talk: Talked): string {
  const head = [
    `${texts.title}, ${new Date(talk.began).toLocaleString()}`,
    ...talk.sessions,
    texts.review.facts(clock(talk.length), talk.medianMs === null ? null : seconds(talk.medianMs), talk.interruptions),
  ];
  const lines = talk.entries.map((entry) => {
    const after = entry.latency?.totalMs == null ? "" : ` [${texts.review.answeredAfter(seconds(entry.latency.totalMs))}]`;
    return `[${clock(entry.from)}] ${nameOf(entry)}: ${wordsOf(entry)}${remarkOf(entry)}${after}`;
  });
  return `${head.join("\n")}\n\n${lines.join("\n")}\n`;
}

/** Return the talk as programs read it; times are milliseconds on its own clock. */
export function toJson(talk: Talked): string {
  const entries = talk.entries.map((entry) => ({
    id: entry.id,
    kind: entry.kind,
    from_ms: ms(entry.from),
    to_ms: ms(entry.to),
    text: entry.text,
    spoken_text: entry.text.slice(0, entry.spoken),
    state: entry.state,
    ...(entry.cutMs === undefined ? {} : { interrupted_after_ms: entry.cutMs }),
    spans: entry.spans.map(({ from, to }) => ({ from_ms: ms(from), to_ms: ms(to) })),
    ...(entry.pieces.length === 0 ? {} : { words: entry.pieces.map((piece) => ({ text: piece.text, from_ms: ms(piece.from), to_ms: ms(piece.to) })) }),
    ...(entry.tool === undefined ? {} : { tool: entry.tool }),
    ...(entry.latency === undefined
      ? {}
      : {
          latency: {
            total_ms: entry.latency.totalMs === null ? null : Math.round(entry.latency.totalMs),
            steps: Object.fromEntries(entry.latency.steps.map(({ step, to }) => [`${step}_ms`, Math.round(to)])),
          },
        }),
  }));
  const whole = {
    format: "vivavoce.talk/1",
    session_ids: talk.sessions,
    began: new Date(talk.began).toISOString(),
    length_ms: ms(talk.length),
    sound_kept_to_ms: talk.keptTo === null ? null : ms(talk.keptTo),
    median_latency_ms: talk.medianMs === null ? null : Math.round(talk.medianMs),
    interruptions: talk.interruptions,
    cost_usd: talk.cost,
    entries,
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

/** Return the talk as captions of its sound (WebVTT). */
export function toVtt(talk: Talked): string {
  const cues = talk.entries.flatMap(cuesOf).sort((a, b) => a.from - b.from);
  const written = cues.map(({ from, to, text, voice }) => `${stamp(from)} --> ${stamp(to)}\n<v ${voice}>${escaped(text)}\n`);
  return `WEBVTT\n\n${written.join("\n")}`;
}

interface Cue extends Piece {
  voice: string;
}

function cuesOf(entry: Entry): Cue[] {
  if (entry.kind !== "user" && entry.kind !== "assistant") return [];
  const voice = nameOf(entry);
  if (entry.pieces.length === 0) {
    const text = wordsOf(entry);
    const to = entry.to > entry.from ? entry.to : entry.from + (WRITTEN_MS * RATE) / 1000;
    return text === "" ? [] : [{ text, from: entry.from, to, voice }];
  }
  const cues: Cue[] = [];
  for (const piece of entry.pieces) {
    const last = cues.at(-1);
    const ended = last !== undefined && (/[.!?]\s*$/.test(last.text) || last.text.length + piece.text.length > CAPTION);
    if (last === undefined || ended) cues.push({ ...piece, voice });
    else {
      last.text += piece.text;
      last.to = piece.to;
    }
  }
  return cues.map((cue) => ({ ...cue, text: cue.text.trim() }));
}

function stamp(samples: number): string {
  const all = ms(samples);
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(all / 3_600_000), Math.floor(all / 60_000) % 60, Math.floor(all / 1000) % 60];
  return `${two(hours)}:${two(minutes)}:${two(rest)}.${String(all % 1000).padStart(3, "0")}`;
}

function escaped(text: string): string {
  // A line of its own would end the caption.
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/\s*\n\s*/g, " ");
}

/** Have the browser save something. */
export function download(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // Some browsers begin to read only when this has returned.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Return a name for files of a talk, without its ending. */
export function fileName(talk: Talked): string {
  return `vivavoce-${new Date(talk.began).toISOString().slice(0, 19).replace(/[:T]/g, "-")}`;
}
