import { expect, test } from "vitest";
import { Track } from "./track";

const always = () => true;
const loud = (samples: number, level = 1000) => new Int16Array(samples).fill(level);

function read(track: Track, from: number, samples: number): number[] {
  const into = new Int16Array(samples);
  track.read(from, into);
  return [...into];
}

test("sound is read where it was put, and silence between", () => {
  const track = new Track(always);
  track.add(10, loud(5, 1));
  track.add(20, loud(5, 2));
  expect(read(track, 8, 18)).toEqual([0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 0]);
  expect([track.end, track.count]).toEqual([25, 10]);
});

test("sound that is longer than a page is one piece", () => {
  const track = new Track(always);
  const sound = Int16Array.from({ length: 100_000 }, (_, i) => i % 30_011);
  for (let i = 0; i < sound.length; i += 480) track.add(7 + i, sound.subarray(i, i + 480));
  expect(read(track, 7, 100_000)).toEqual([...sound]);
});

test("what would begin before the end of what is there begins at that end", () => {
  const track = new Track(always);
  track.add(0, loud(10, 1));
  expect(track.add(8, loud(4, 2))).toEqual({ from: 10, to: 14 });
});

test("the place of a sample is known across gaps", () => {
  const track = new Track(always);
  track.add(100, loud(10));
  track.add(500, loud(10));
  expect([0, 9, 10, 19, 20, 99].map((number) => track.placeOf(number))).toEqual([100, 109, 500, 509, 510, 510]);
  expect(new Track(always).placeOf(3)).toBe(0);
});

test("silence takes no memory, but its samples count", () => {
  const track = new Track(always);
  track.add(0, new Int16Array(1_000_000));
  track.add(1_000_000, loud(1));
  expect(track.bytes).toBe(32_768);
  expect(track.placeOf(1_000_000)).toBe(1_000_000);
});

test("where the room ends, the sound does, for good", () => {
  let room = 2;
  const track = new Track(() => room-- > 0);
  for (let i = 0; i < 100; i++) track.add(i * 1000, loud(1000));
  expect(track.keptTo).toBe(32_768);
  expect(read(track, 32_766, 4)).toEqual([1000, 1000, 0, 0]);
  expect(track.end).toBe(100_000);
  room = 9;
  track.add(200_000, loud(1000));
  expect(read(track, 200_000, 1)).toEqual([0]);
});

test("peaks are the loudest of each column, however wide", () => {
  const track = new Track(always);
  track.add(24_000, Int16Array.of(0, 0, -32_768, 0));
  track.add(48_000, loud(240, 16_384));
  const fine = track.peaks(24_000, 24_004, 4);
  expect([...fine]).toEqual([0, 0, 1, 0]);
  const coarse = track.peaks(0, 72_000, 3);
  expect(coarse[0]).toBe(0);
  expect(coarse[1]).toBe(1);
  expect(coarse[2]).toBeCloseTo(0.5, 1);
});
