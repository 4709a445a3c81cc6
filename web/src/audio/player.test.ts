import { expect, test } from "vitest";
import { type PlaybackNews, Player } from "./player";
import { RATE } from "./pcm";

/** A player at the sound's own rate, and what it told but the state. */
function playing(): { player: Player; told: PlaybackNews[]; fill: (samples: number) => Float32Array } {
  const told: PlaybackNews[] = [];
  const player = new Player(RATE, (news) => told.push(news));
  const fill = (samples: number) => {
    const block = new Float32Array(samples);
    player.fill(block);
    return block;
  };
  return { player, told, fill };
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
