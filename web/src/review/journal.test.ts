import { expect, test } from "vitest";
import { toBase64 } from "../audio/pcm";
import { Journal } from "./journal";

const frame = toBase64(new Int16Array(480));
const parsed = (journal: Journal) => journal.lines().map((line) => JSON.parse(line) as Record<string, unknown>);

test("events are lines in their order with their times, and sound is named by its length", () => {
  const journal = new Journal();
  journal.add("client", { type: "response.create" }, 1.25);
  journal.add("server", { type: "response.output_audio.delta", delta: frame, item_id: "item_1" }, 40);
  journal.add("server", { type: "response.output_audio_transcript.delta", delta: "Good day." }, 41);
  expect(parsed(journal)).toEqual([
    { at_ms: 1.3, from: "client", event: { type: "response.create" } },
    { at_ms: 40, from: "server", event: { type: "response.output_audio.delta", delta: "(20 ms of sound)", item_id: "item_1" } },
    { at_ms: 41, from: "server", event: { type: "response.output_audio_transcript.delta", delta: "Good day." } },
  ]);
});

test("frames that follow upon each other are one line, at the time of the first", () => {
  const journal = new Journal();
  for (const at of [20, 40, 60]) journal.add("client", { type: "input_audio_buffer.append", audio: frame }, at);
  journal.add("client", { type: "input_audio_buffer.commit" }, 61);
  journal.add("client", { type: "input_audio_buffer.append", audio: frame }, 80);
  expect(parsed(journal).map(({ at_ms, event }) => [at_ms, event])).toEqual([
    [20, { type: "input_audio_buffer.append", frames: 3, audio_ms: 60 }],
    [61, { type: "input_audio_buffer.commit" }],
    [80, { type: "input_audio_buffer.append", frames: 1, audio_ms: 20 }],
  ]);
});

test("a token is not written down", () => {
  const journal = new Journal();
  journal.add("server", { type: "session.created", session: { resume: { token: "secret", items: 0 } } }, 0);
  expect(journal.lines().join("")).not.toContain("secret");
});

test("a journal that is full takes no more, and says so", () => {
  const journal = new Journal(200);
  for (let i = 0; i < 9; i++) journal.add("client", { type: "response.create" }, i);
  expect(journal.isFull).toBe(true);
  expect(parsed(journal)).toHaveLength(3);
});
