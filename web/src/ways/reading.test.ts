import { expect, test } from "vitest";
import { modeOf } from "./mode";
import { piecesOf, Splitter } from "./sentences";
import { ServerSentEvents } from "./sse";
import { Timeline } from "./timeline";

test("sentences are parted as soon as the next one begins, and together they are the text", () => {
  const splitter = new Splitter();
  const pushed = ["That is", " 42. And", " 7.5 is less.\nIs it? “Yes!” ", "she said"].map((text) => splitter.push(text));
  expect(pushed).toEqual([[], ["That is 42. "], ["And 7.5 is less.\n", "Is it? ", "“Yes!” "], []]);
  expect(splitter.finish()).toEqual(["she said"]);
  expect(splitter.finish()).toEqual([]);
});

test("a title's point or an initial's ends no sentence", () => {
  expect(piecesOf("Dr. Jones met J. R. Smith. They talked.", 1, 400)).toEqual(["Dr. Jones met J. R. Smith.", "They talked."]);
});

test("short sentences are kept together where that is wished", () => {
  expect(piecesOf("One. Two. Three. Four.", 8, 400)).toEqual(["One. Two.", "Three. Four."]);
});

test("what is too long is parted at a pause, between words, or anywhere but within a character", () => {
  expect(piecesOf("aaaa bbbb, cccc dddd", 1, 12)).toEqual(["aaaa bbbb,", "cccc dddd"]);
  expect(piecesOf("aaaa bbbb cccc", 1, 8)).toEqual(["aaaa", "bbbb", "cccc"]);
  expect(piecesOf("a😀😀", 1, 4)).toEqual(["a😀", "😀"]);
  const long = "word ".repeat(1000);
  expect(piecesOf(long, 200, 1000).join(" ")).toBe(long.trim());
  expect(Math.max(...piecesOf(long, 200, 1000).map((piece) => piece.length))).toBeLessThanOrEqual(1000);
});

test("sentences of languages without blanks are parted too, and blank texts have none", () => {
  expect(piecesOf("你好。我们走吧！", 1, 400)).toEqual(["你好。", "我们走吧！"]);
  expect(piecesOf(" \n\n ", 1, 400)).toEqual([]);
});

test("events are told when they are whole, wherever the stream was cut", () => {
  const stream = 'data: {"a":1}\n\n: still here\n\nevent: x\r\ndata: one\r\ndata:two\r\n\r\ndata: [DONE]\n\n';
  for (const size of [1, 3, 7, stream.length]) {
    const events = new ServerSentEvents();
    const found: string[] = [];
    for (let at = 0; at < stream.length; at += size) found.push(...events.push(stream.slice(at, at + size)));
    expect(found).toEqual(['{"a":1}', "one\ntwo", "[DONE]"]);
  }
});

test("the server's times are those of the recording, over lost frames and new connections", () => {
  const timeline = new Timeline();
  expect(timeline.recordedMs(40)).toBe(40);
  timeline.connect();
  for (const frame of [0, 1, 2, 10, 11]) timeline.sentFrame(frame);
  expect([0, 59, 60, 100].map((ms) => timeline.recordedMs(ms))).toEqual([0, 59, 200, 240]);
  expect(timeline.endMs).toBe(240);
  timeline.connect();
  timeline.sentFrame(50);
  expect(timeline.recordedMs(15)).toBe(1015);
});

test("a way of working is named by the address, and by the place that the skip link leads to", () => {
  expect(["#classic", "#panel-speak", "#talk"].map(modeOf)).toEqual(["classic", "speak", "talk"]);
  expect(["", "#", "#other", "#%7B%22voice%22%3A%22ash%22%7D"].map(modeOf)).toEqual([null, null, null, null]);
});
