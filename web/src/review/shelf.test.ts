import { expect, test } from "vitest";
import type { Line } from "../realtime/talk";
import { Shelf } from "./shelf";

const NOTHING = { lines: [], turns: [] };
const PAGE_BYTES = 32_768;

function hold(shelf: Shelf, name: string, pages: number) {
  const recorder = shelf.begin({ zero: 0, began: 0, silenceMs: () => 0, before: NOTHING });
  recorder.sent(new Int16Array(16_384 * pages).fill(1), 0);
  const line: Line = { id: name, kind: "user", text: name, state: "done", spoken: 0 };
  recorder.see([line], [], 0, 0);
  shelf.keep(recorder, 16_384 * pages);
}

const names = (shelf: Shelf) => shelf.talks.map((talk) => talk.entries[0]!.text);

test("the latest three talks are kept", () => {
  const shelf = new Shelf(100 * PAGE_BYTES);
  for (const name of ["a", "b", "c", "d"]) hold(shelf, name, 1);
  expect(names(shelf)).toEqual(["d", "c", "b"]);
});

test("a talk that needs the room of older ones gets it", () => {
  const shelf = new Shelf(10 * PAGE_BYTES);
  for (const name of ["a", "b"]) hold(shelf, name, 4);
  hold(shelf, "c", 5);
  expect(names(shelf)).toEqual(["c", "b"]);
  hold(shelf, "d", 12);
  expect(names(shelf)).toEqual(["d"]);
  expect(shelf.talks[0]!.keptTo).toBe(10 * 16_384);
});

test("a talk in which nothing happened is not kept", () => {
  const shelf = new Shelf();
  shelf.keep(shelf.begin({ zero: 0, began: 0, silenceMs: () => 0, before: NOTHING }), 0);
  expect(shelf.talks).toEqual([]);
});
