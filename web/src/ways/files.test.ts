import { expect, test } from "vitest";
import { cuesOf, plainText, srt, vtt } from "./subtitles";
import type { Utterance } from "./transcript";
import { wavFile, wavHeader } from "./wav";

function utterance(text: string, startMs: number | null, endMs: number | null, times?: [number, number][]): Utterance {
  const words = text.split(" ").filter(Boolean);
  return {
    id: text,
    startMs,
    endMs,
    state: "done",
    words: words.map((word, i) => ({ text: word, probability: 1, startMs: times?.[i]?.[0] ?? null, endMs: times?.[i]?.[1] ?? null })),
  };
}

const TWO = [utterance("good day", 990, 1500), utterance("a < b & c", 3_599_900, 3_601_234)];

test("a text has an utterance a line, and none that has no words", () => {
  expect(plainText([...TWO, utterance("", 1, 2)])).toBe("good day\na < b & c\n");
  expect(plainText([])).toBe("");
});

test("SubRip counts its cues and writes milliseconds after a comma", () => {
  expect(srt(TWO)).toBe("1\n00:00:00,990 --> 00:00:01,500\ngood day\n\n2\n00:59:59,900 --> 01:00:01,234\na < b & c\n");
});

test("WebVTT has a head, points, and escapes what it would read as tags", () => {
  expect(vtt(TWO)).toBe(
    "WEBVTT\n\n00:00:00.990 --> 00:00:01.500\ngood day\n\n00:59:59.900 --> 01:00:01.234\na &lt; b &amp; c\n",
  );
  expect(vtt([])).toBe("WEBVTT\n");
});

test("a long utterance is shown piece by piece, by its words' times where they are known", () => {
  const long = Array.from({ length: 30 }, (_, i) => `word${i}`).join(" ");
  const times = Array.from({ length: 30 }, (_, i) => [1000 + 100 * i, 1090 + 100 * i] as [number, number]);
  const cues = cuesOf([utterance(long, 1000, 4000, times)]);
  expect(cues.map(({ text }) => text).join(" ")).toBe(long);
  expect(Math.max(...cues.map(({ text }) => text.length))).toBeLessThanOrEqual(84);
  for (const cue of cues) {
    const [first, last] = [cue.text.split(" ")[0]!, cue.text.split(" ").at(-1)!].map((word) => Number(word.slice(4)));
    expect(cue).toMatchObject({ startMs: 1000 + 100 * first!, endMs: 1090 + 100 * last! });
  }
});

test("a long utterance without word times is parted by the share of its letters", () => {
  const cues = cuesOf([utterance(`${"a".repeat(50)} ${"b".repeat(50)}`, 0, 10_000)]);
  expect(cues.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
    [0, 5000],
    [5000, 10_000],
  ]);
});

test("cues neither overlap nor end before they begin, whatever the times say", () => {
  const cues = cuesOf([utterance("one", 500, 400), utterance("two", 600, 900), utterance("three", null, null)]);
  expect(cues).toEqual([
    { startMs: 500, endMs: 800, text: "one" },
    { startMs: 800, endMs: 1100, text: "two" },
    { startMs: 1100, endMs: 1400, text: "three" },
  ]);
});

test("a WAV header tells the lengths of the file and of the sound", () => {
  const header = wavHeader(96_000, 24_000);
  const view = new DataView(header.buffer);
  const name = (at: number) => String.fromCharCode(...header.subarray(at, at + 4));
  expect([name(0), name(8), name(12), name(36)]).toEqual(["RIFF", "WAVE", "fmt ", "data"]);
  expect(view.getUint32(4, true)).toBe(96_036);
  expect(view.getUint32(40, true)).toBe(96_000);
  // Plain PCM of one channel: 24000 samples a second of two bytes, which are 48000 bytes.
  expect([20, 22, 32, 34].map((at) => view.getUint16(at, true))).toEqual([1, 1, 2, 16]);
  expect([view.getUint32(24, true), view.getUint32(28, true)]).toEqual([24_000, 48_000]);
});

test("a WAV file is its header and its pieces, in memory or not", async () => {
  const file = wavFile([Int16Array.of(1, -2), new Blob([Int16Array.of(3)])]);
  const bytes = await file.arrayBuffer();
  expect(new DataView(bytes).getUint32(40, true)).toBe(6);
  expect([...new Int16Array(bytes.slice(44))]).toEqual([1, -2, 3]);
});
