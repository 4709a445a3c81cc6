import { describe, expect, it } from "vitest";
import { Playout } from "./playout";

const BLOCK = 128;

function sound(ms: number, level = 0.5): Float32Array {
  return new Float32Array(24 * ms).fill(level);
}

function pull(playout: Playout, blocks: number): number[] {
  const got: number[] = [];
  for (let i = 0; i < blocks; i++) {
    const block = new Float32Array(BLOCK);
    playout.pull(block);
    got.push(...block);
  }
  return got;
}

describe("Playout", () => {
  it("waits for a stock before it begins", () => {
    const playout = new Playout(24_000);
    playout.add("a", 0, sound(40));
    expect(pull(playout, 2).every((x) => x === 0)).toBe(true);
    playout.add("a", 0, sound(40));
    expect(pull(playout, 1)[0]).toBe(0.5);
  });

  it("begins at once when all of a short answer is there", () => {
    const playout = new Playout(24_000);
    playout.add("a", 0, sound(20));
    playout.end();
    expect(pull(playout, 1)[0]).toBe(0.5);
  });

  it("counts what has left, to the sample", () => {
    const playout = new Playout(24_000);
    playout.add("a", 0, sound(500));
    pull(playout, 30);
    expect(playout.played).toEqual({ item: "a", part: 0, ms: (30 * BLOCK) / 24 });
  });

  it.each([44_100, 48_000])("counts as exactly on a device of %i Hz", (rate) => {
    const playout = new Playout(rate);
    playout.add("a", 0, sound(2000));
    pull(playout, 300);
    expect(Math.abs(playout.played!.ms - (300 * BLOCK * 1000) / rate)).toBeLessThan(1);
  });

  it("falls silent at once, fades without a click, and tells where", () => {
    const playout = new Playout(24_000);
    playout.add("a", 1, sound(200));
    playout.add("b", 0, sound(200));
    pull(playout, 10);
    expect(playout.flush()).toEqual({ playing: { item: "a", part: 1, ms: (10 * BLOCK) / 24 }, unheard: ["b"] });
    const after = pull(playout, 4);
    expect(after[0]!).toBeLessThan(0.5);
    expect(after.slice(0, 96).every((x, i, all) => i === 0 || x <= all[i - 1]!)).toBe(true);
    expect(after.slice(96).every((x) => x === 0)).toBe(true);
    expect(playout.flush()).toEqual({ playing: null, unheard: [] });
  });

  it("tells the item that is heard when answers follow each other", () => {
    const playout = new Playout(24_000);
    playout.add("a", 0, sound(64));
    playout.add("b", 0, sound(64));
    playout.end();
    pull(playout, 15);
    expect(playout.played).toEqual({ item: "b", part: 0, ms: (15 * BLOCK) / 24 - 64 });
  });

  it("plays all of an answer on a device of another rate", () => {
    const playout = new Playout(48_000);
    playout.add("a", 0, sound(100));
    playout.end();
    const heard = pull(playout, 60).filter((x) => Math.abs(x) > 0.25).length;
    expect(Math.abs(heard - 4800)).toBeLessThan(8);
    expect(playout.played).toBeNull();
  });

  it("counts gaps and then keeps more in stock", () => {
    const playout = new Playout(24_000);
    playout.add("a", 0, sound(64));
    pull(playout, 20);
    expect(playout.gaps).toBe(1);
    expect(playout.played!.ms).toBe(64);
    playout.add("a", 0, sound(64));
    expect(pull(playout, 2).slice(200).every((x) => x === 0)).toBe(true);
    playout.add("a", 0, sound(64));
    expect(pull(playout, 1)[0]).toBe(0.5);
  });

  it("counts no gap where an answer simply ends", () => {
    const playout = new Playout(24_000);
    playout.add("a", 0, sound(64));
    playout.end();
    pull(playout, 30);
    expect([playout.gaps, playout.played, playout.stock]).toEqual([0, null, 0]);
  });
});
