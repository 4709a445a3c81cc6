import { expect, test } from "vitest";
import { type PlaybackNews, type PlayedPiece, Player } from "./player";
import { RATE } from "./pcm";

/** A player on a device, and what it told: word of how far it got, and what was played. */
function playing(rate = RATE) {
  const told: PlaybackNews[] = [];
  const pieces: PlayedPiece[] = [];
  const player = new Player(rate, (news) => (news.news === "played" ? pieces.push(news) : told.push(news)));
  let at = 0;
  const fill = (samples: number) => {
    const block = new Float32Array(samples);
    player.fill(block, at);
    at += samples;
    return block;
  };
  return { player, told, pieces, fill };
}

/** Sound of which no two samples near each other are alike. */
const ramp = (samples: number, first = 0) => Int16Array.from({ length: samples }, (_, i) => (first + 7 * i) % 20_000);

/** What was played, with silence where nothing was. */
function tape(pieces: readonly PlayedPiece[]): Int16Array {
  const last = pieces.at(-1)!;
  const all = new Int16Array(last.at + last.pcm.length);
  for (const { at, pcm } of pieces) all.set(pcm, at);
  return all;
}

const pcm = (samples: number) => new Int16Array(samples).fill(8192);

test("blocks of any size are filled, and the beginning of each item is told once", () => {
  const { player, told, fill } = playing();
  player.obey({ order: "add", item: "a", part: 0, pcm: pcm(3000) });
  player.obey({ order: "add", item: "b", part: 0, pcm: pcm(3000) });
  player.obey({ order: "end" });
  const block = fill(2048);
  expect(Math.max(...block)).toBeCloseTo(0.25, 1);
  for (let i = 0; i < 3; i++) fill(2048);
  expect(told.filter(({ news }) => news === "began")).toEqual([
    { news: "began", item: "a" },
    { news: "began", item: "b" },
  ]);
  expect(told.at(-1)).toMatchObject({ news: "state", isPlaying: false, gaps: 0 });
});

test("a flush is answered with what was heard of the item that played, and what was not heard at all", () => {
  const { player, told, fill } = playing();
  player.obey({ order: "add", item: "a", part: 0, pcm: pcm(RATE) });
  player.obey({ order: "add", item: "b", part: 0, pcm: pcm(RATE) });
  player.obey({ order: "end" });
  for (let i = 0; i < 10; i++) fill(1200);
  player.obey({ order: "flush", id: 7 });
  const flushed = told.find(({ news }) => news === "flushed");
  expect(flushed).toMatchObject({ id: 7, playing: { item: "a", part: 0 }, unheard: ["b"] });
  const heardMs = flushed?.news === "flushed" ? flushed.playing!.ms : 0;
  expect(heardMs).toBeGreaterThan(480);
  expect(heardMs).toBeLessThanOrEqual(500);
  expect(told.at(-1)).toMatchObject({ news: "state", isPlaying: false });
});

test("the state is told every 1024 samples, however they are asked for", () => {
  const { player, told, fill } = playing();
  player.obey({ order: "add", item: "a", part: 0, pcm: pcm(RATE) });
  fill(128);
  told.length = 0;
  for (let i = 0; i < 32; i++) fill(128);
  expect(told).toHaveLength(4);
});

test.each([24_000, 44_100, 48_000])("what was played is told as it came in, at its time, on a device of %i Hz", (rate) => {
  const { player, pieces, fill } = playing(rate);
  fill(rate / 10);
  player.obey({ order: "add", item: "a", part: 0, pcm: ramp(5000) });
  player.obey({ order: "add", item: "b", part: 0, pcm: ramp(5000, 3) });
  player.obey({ order: "end" });
  for (let i = 0; i < 200; i++) fill(128 * (rate === RATE ? 1 : 2));
  const heard = tape(pieces);
  expect(heard.subarray(0, 2400).every((sample) => sample === 0)).toBe(true);
  expect(heard.subarray(2400, 7400)).toEqual(ramp(5000));
  expect(heard.subarray(7400)).toEqual(ramp(5000, 3));
  expect(new Set(pieces.filter((piece) => piece.at < 7400).map((piece) => piece.item))).toEqual(new Set(["a"]));
});

test.each([24_000, 44_100, 48_000])("nothing is told of what a flush took back, on a device of %i Hz", (rate) => {
  const { player, told, pieces, fill } = playing(rate);
  player.obey({ order: "add", item: "a", part: 0, pcm: ramp(RATE) });
  for (let i = 0; i < 100; i++) fill(128);
  player.obey({ order: "flush", id: 1 });
  for (let i = 0; i < 100; i++) fill(128);
  const flushed = told.find(({ news }) => news === "flushed");
  const heardMs = flushed?.news === "flushed" ? flushed.playing!.ms : 0;
  const heard = tape(pieces);
  expect(heard).toEqual(ramp(heard.length));
  expect(Math.abs(heard.length - heardMs * 24)).toBeLessThanOrEqual(2);
  // All of it is told before the flush is answered.
  expect(heard.length).toBeGreaterThan(0);
});

test.each([24_000, 48_000])("a gap stays a gap, on a device of %i Hz", (rate) => {
  const { player, pieces, fill } = playing(rate);
  const step = rate / RATE;
  player.obey({ order: "add", item: "a", part: 0, pcm: ramp(2400) });
  for (let i = 0; i < 40; i++) fill(128 * step);
  player.obey({ order: "add", item: "a", part: 0, pcm: ramp(2400, 5) });
  player.obey({ order: "end" });
  for (let i = 0; i < 40; i++) fill(128 * step);
  const heard = tape(pieces);
  // The filter keeps a little of what came before the gap until it is given more.
  const kept = rate === RATE ? 0 : 27;
  expect(heard.subarray(0, 2400 - kept)).toEqual(ramp(2400).subarray(0, 2400 - kept));
  expect(heard.subarray(2400, 5120).every((sample) => sample === 0)).toBe(true);
  expect(heard.subarray(5120 + kept)).toEqual(ramp(2400, 5));
});
