/** Transcripts as files: plain text, SubRip and WebVTT. */

import type { Utterance, Word } from "./transcript";

export interface Cue {
  startMs: number;
  endMs: number;
  text: string;
}

/** The usual width of a line of subtitles; two lines are as much as is read at a glance. */
const LINE_CHARACTERS = 42;
const CUE_CHARACTERS = 2 * LINE_CHARACTERS;
const SHORTEST_MS = 300;

const wordsOf = (utterance: Utterance) => utterance.words.map((word) => word.text).join(" ");

/** Return an utterance a line. */
export function plainText(utterances: readonly Utterance[]): string {
  return spoken(utterances)
    .map((one) => `${wordsOf(one)}\n`)
    .join("");
}

export function srt(utterances: readonly Utterance[]): string {
  const blocks = cuesOf(utterances).map((cue, i) => `${i + 1}\n${span(cue, ",")}\n${wrapped(cue.text)}\n`);
  return blocks.join("\n");
}

export function vtt(utterances: readonly Utterance[]): string {
  const blocks = cuesOf(utterances).map((cue) => `${span(cue, ".")}\n${escaped(wrapped(cue.text))}\n`);
  return ["WEBVTT\n", ...blocks].join("\n");
}

/** Return cues that fit the screen and do not overlap; long utterances are shown piece by piece. */
export function cuesOf(utterances: readonly Utterance[]): Cue[] {
  const cues: Cue[] = [];
  let earliest = 0;
  for (const utterance of spoken(utterances)) {
    const startMs = Math.max(earliest, utterance.startMs ?? earliest);
    const endMs = Math.max(startMs + SHORTEST_MS, utterance.endMs ?? 0);
    const letters = utterance.words.reduce((sum, word) => sum + word.text.length, 0);
    let before = 0;
    for (const words of grouped(utterance.words)) {
      const own = words.reduce((sum, word) => sum + word.text.length, 0);
      // Where words have no times, by the share of their letters.
      const shared = (count: number) => Math.round(startMs + ((endMs - startMs) * count) / letters);
      const begin = Math.max(earliest, words[0]!.startMs ?? shared(before));
      before += own;
      const end = Math.max(begin + 1, words.at(-1)!.endMs ?? shared(before));
      cues.push({ startMs: begin, endMs: end, text: words.map((word) => word.text).join(" ") });
      earliest = end;
    }
  }
  return cues;
}

function spoken(utterances: readonly Utterance[]): Utterance[] {
  return utterances.filter(({ words }) => words.length > 0);
}

/** Return words in groups of about the same length that each fit into a cue. */
function grouped(words: readonly Word[]): Word[][] {
  const length = words.reduce((sum, word) => sum + word.text.length + 1, -1);
  const wanted = length / Math.ceil(length / CUE_CHARACTERS);
  const groups: Word[][] = [];
  let filled = 0;
  for (const word of words) {
    const group = groups.at(-1);
    const isFull = filled + 1 + word.text.length > CUE_CHARACTERS || filled >= wanted;
    if (group === undefined || isFull) {
      groups.push([word]);
      filled = word.text.length;
    } else {
      group.push(word);
      filled += 1 + word.text.length;
    }
  }
  return groups;
}

function wrapped(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= LINE_CHARACTERS) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join("\n");
}

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function span(cue: Cue, point: string): string {
  return `${time(cue.startMs, point)} --> ${time(cue.endMs, point)}`;
}

function time(ms: number, point: string): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const seconds = ms / 1000;
  const rest = String(Math.floor(ms % 1000)).padStart(3, "0");
  return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}${point}${rest}`;
}
