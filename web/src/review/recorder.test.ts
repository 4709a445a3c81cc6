import { describe, expect, test } from "vitest";
import { RATE, toBase64 } from "../audio/pcm";
import type { Turn } from "../realtime/latency";
import type { Line } from "../realtime/talk";
import { toJson, toText, toVtt } from "./exports";
import { Recorder } from "./recorder";
import { interleaved, soundLength, stereoWav } from "./wav";

const MS = RATE / 1000;
const ZERO = 1_000_000;
const frame = (level: number, samples = 480) => new Int16Array(samples).fill(level);
const line = (fields: Partial<Line> & Pick<Line, "id" | "kind">): Line => ({ text: "", state: "done", spoken: fields.text?.length ?? 0, ...fields });

interface Change {
  lines?: readonly Line[];
  turns?: readonly Turn[];
}

/** A recorder, and the talk's clock in milliseconds with what happens at it. */
function recording(before: { lines: readonly Line[]; turns: readonly Turn[] } = { lines: [], turns: [] }, claim = () => true) {
  const recorder = new Recorder({ zero: ZERO, began: 0, claim, silenceMs: () => 500, before });
  const at = (ms: number) => ZERO + ms * MS;
  return {
    recorder,
    at,
    server: (ms: number, event: { type: string; [field: string]: unknown }) => recorder.note("server", event, at(ms)),
    client: (ms: number, event: { type: string; [field: string]: unknown }) => recorder.note("client", event, at(ms)),
    see: (ms: number, { lines = [], turns = [] }: Change) => recorder.see(lines, turns, at(ms), ms),
    speak: (fromMs: number, toMs: number, level: number) => {
      for (let ms = fromMs; ms < toMs; ms += 20) recorder.sent(frame(level), at(ms));
    },
    play: (item: string, fromMs: number, toMs: number, level: number) => recorder.played(item, frame(level, (toMs - fromMs) * MS), at(fromMs)),
  };
}

/** A turn of two seconds, its answer of four, and an interruption in the midst of that. */
function talk() {
  const { recorder, at, server, client, see, speak, play } = recording();
  server(0, { type: "session.created", session: { id: "sess_1" } });
  speak(0, 3000, 100);
  server(600, { type: "input_audio_buffer.speech_started", item_id: "item_1", audio_start_ms: 400 });
  server(3000, { type: "input_audio_buffer.speech_stopped", item_id: "item_1", audio_end_ms: 2900 });
  server(3001, { type: "input_audio_buffer.committed", item_id: "item_1" });
  const turn: Turn = { id: "item_1", kind: "spoken", end: 2400, at: { stopped: 3000, firstSound: 3300 } };
  const mine = line({ id: "item_1", kind: "user", text: "What is it?" });
  see(3050, { lines: [mine], turns: [turn] });
  for (const [text, ms] of [["One two ", 0], ["three ", 1000], ["four", 2000]] as const) {
    server(3100 + ms / 100, { type: "response.output_audio_transcript.delta", item_id: "item_2", delta: text });
    server(3101 + ms / 100, { type: "response.output_audio.delta", item_id: "item_2", delta: toBase64(frame(9, 1000 * MS)) });
  }
  see(3200, { lines: [mine, line({ id: "item_2", kind: "assistant", text: "One two three four", state: "live" })], turns: [turn] });
  play("item_2", 3300, 4800, 200);
  recorder.cut("item_2", 1500, at(4800));
  speak(3000, 5000, 300);
  client(4801, { type: "conversation.item.truncate", item_id: "item_2", audio_end_ms: 1500 });
  const cut = line({ id: "item_2", kind: "assistant", text: "One two three four", state: "cut", spoken: 14, cutMs: 1500 });
  const tool = { name: "get_time", arguments: "{}" };
  see(4820, { lines: [mine, cut, line({ id: "call_1", kind: "tool", state: "live", tool })] });
  see(4900, { lines: [mine, cut, line({ id: "call_1", kind: "tool", tool: { ...tool, output: "noon" } })] });
  server(4950, { type: "response.done", response: { usage: { cost: { usd: 0.2, session_usd: 0.5 } } } });
  return recorder.finish(at(5100));
}

test("turns stand where their sound is, with words, tools, interruptions and latencies", () => {
  const { entries, sessions, length, medianMs, interruptions } = talk();
  expect(sessions).toEqual(["sess_1"]);
  expect([length / MS, medianMs, interruptions]).toEqual([5100, 900, 1]);
  expect(entries.map(({ id, from, to }) => [id, from / MS, to / MS])).toEqual([
    ["item_1", 400, 2400],
    ["item_2", 3300, 4800],
    ["call_1", 4820, 4900],
  ]);
  expect(entries[0]!.latency).toMatchObject({ totalMs: 900, from: 2400 * MS, to: 3300 * MS });
  expect(entries[1]!.pieces.map(({ text, from, to }) => [text, from / MS, to / MS])).toEqual([
    ["One two ", 3300, 4300],
    ["three ", 4300, 4800],
  ]);
});

test("the file has both voices to the sample, and silence where nothing was played", async () => {
  const record = talk();
  const blob = stereoWav(record);
  const view = new DataView(await blob.arrayBuffer());
  const letters = (at: number) => String.fromCharCode(...Array.from({ length: 4 }, (_, i) => view.getUint8(at + i)));
  expect([letters(0), letters(8), letters(36)]).toEqual(["RIFF", "WAVE", "data"]);
  expect([view.getUint16(22, true), view.getUint32(24, true), view.getUint16(34, true)]).toEqual([2, RATE, 16]);
  expect([view.getUint32(4, true), view.getUint32(40, true)]).toEqual([blob.size - 8, blob.size - 44]);
  const sample = (ms: number, channel: number, off = 0) => view.getInt16(44 + (ms * MS + off) * 4 + channel * 2, true);
  expect(blob.size).toBe(44 + 5100 * MS * 4);
  expect([sample(2999, 0), sample(3000, 0), sample(5000, 0, -1), sample(5000, 0)]).toEqual([100, 300, 300, 0]);
  expect([sample(3300, 1, -1), sample(3300, 1), sample(4800, 1, -1), sample(4800, 1)]).toEqual([0, 200, 200, 0]);
});

test("transcripts tell the words that were heard, and captions stand at them", () => {
  const record = talk();
  const text = toText(record);
  expect(text).toContain("[0:00.4] You: What is it? [answered after 0.90 s]\n");
  expect(text).toContain("[0:03.3] Assistant: One two three [Interrupted after 1.5 s. Not spoken: four]\n");
  expect(text).toContain("[0:04.8] get_time: {} → noon\n");
  expect(toVtt(record)).toBe(
    "WEBVTT\n\n00:00:00.400 --> 00:00:02.400\n<v You>What is it?\n\n00:00:03.300 --> 00:00:04.800\n<v Assistant>One two three\n",
  );
  const json = JSON.parse(toJson(record)) as { entries: Record<string, unknown>[] };
  expect(json).toMatchObject({ format: "vivavoce.talk/1", length_ms: 5100, median_latency_ms: 900, cost_usd: 0.5 });
  expect(json.entries[1]).toMatchObject({ from_ms: 3300, to_ms: 4800, interrupted_after_ms: 1500, spoken_text: "One two three " });
});

test("captions cannot be broken by what is said", () => {
  const { recorder, at, see } = recording();
  see(10, { lines: [line({ id: "a", kind: "user", text: "1 --> 2 <b>&\n\nnext" })] });
  expect(toVtt(recorder.finish(at(20)))).toContain("<v You>1 --&gt; 2 &lt;b&gt;&amp; next\n");
});

test("the journal tells what was played and cut beside the events", () => {
  const lines = talk().journal.lines().map((one) => JSON.parse(one) as { at_ms: number; event: { type: string } });
  const found = lines.filter(({ event }) => event.type.startsWith("playback"));
  expect(found.map(({ at_ms, event }) => [at_ms, event])).toEqual([
    [3300, { type: "playback.began", item_id: "item_2" }],
    [4800, { type: "playback.cut", item_id: "item_2", audio_end_ms: 1500 }],
  ]);
});

describe("where a turn stands", () => {
  test("after the line broke, by the clock of the new connection", () => {
    const { recorder, at, server, see, speak } = recording();
    server(0, { type: "session.created", session: { id: "sess_1" } });
    speak(0, 1000, 1);
    server(5000, { type: "session.created", session: { id: "sess_2" } });
    speak(5000, 7000, 1);
    server(6000, { type: "input_audio_buffer.speech_started", item_id: "item_9", audio_start_ms: 400 });
    server(6900, { type: "input_audio_buffer.speech_stopped", item_id: "item_9", audio_end_ms: 1500 });
    see(6950, { lines: [line({ id: "item_9", kind: "user", text: "again" })] });
    const { entries, sessions } = recorder.finish(at(7000));
    expect(sessions).toEqual(["sess_1", "sess_2"]);
    expect([entries[0]!.from / MS, entries[0]!.to / MS]).toEqual([5400, 6000]);
  });

  test("by the button that was held, where the client ends turns", () => {
    const { recorder, at, server, client, see, speak } = recording();
    server(0, { type: "session.created", session: { id: "sess_1" } });
    for (const [from, item] of [[1000, "item_1"], [4000, "item_2"]] as const) {
      client(from, { type: "input_audio_buffer.clear" });
      speak(from, from + 1000, 1);
      client(from + 1000, { type: "input_audio_buffer.commit" });
      server(from + 1010, { type: "input_audio_buffer.committed", item_id: item });
      see(from + 1020, { lines: [line({ id: item, kind: "user", text: item })] });
    }
    const { entries } = recorder.finish(at(6000));
    expect(entries.map(({ from, to }) => [from / MS, to / MS])).toEqual([[1000, 2000], [4000, 5000]]);
  });

  test("by the time at which it was written", () => {
    const { recorder, at, see } = recording();
    see(700, { lines: [line({ id: "typed-1", kind: "user", text: "hello" })], turns: [{ id: "typed-1", kind: "typed", end: 690, at: {} }] });
    expect(recorder.finish(at(900)).entries[0]).toMatchObject({ from: 690 * MS, to: 690 * MS, spans: [] });
  });
});

test("what the page shows of earlier talks is no part of this one", () => {
  const old = { lines: [line({ id: "item_0", kind: "user", text: "before" })], turns: [] };
  const { recorder, at, see } = recording(old);
  see(10, { lines: [{ ...old.lines[0]!, state: "cut" }, line({ id: "item_1", kind: "user", text: "now" })] });
  expect(recorder.finish(at(20)).entries.map((entry) => entry.text)).toEqual(["now"]);
});

test("where memory ends the sound does, and the words go on", () => {
  let pages = 3;
  const { recorder, at, see, speak } = recording(undefined, () => pages-- > 0);
  speak(0, 5000, 1);
  see(4000, { lines: [line({ id: "late", kind: "user", text: "late" })] });
  const record = recorder.finish(at(5000));
  expect(record.keptTo).toBe(3 * 16_384);
  expect(soundLength(record)).toBe(3 * 16_384);
  expect(stereoWav(record).size).toBe(44 + 3 * 16_384 * 4);
  expect(record.entries[0]!.text).toBe("late");
  expect([...interleaved(record, 3 * 16_384 - 1, 2)]).toEqual([1, 0, 0, 0]);
});
