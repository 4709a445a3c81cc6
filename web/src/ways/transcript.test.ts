import { expect, test } from "vitest";
import { surenessOf, Transcript } from "./transcript";

const told = (type: string, fields: object = {}) => ({ type, item_id: "a", ...fields });
const token = (text: string, probability: number) => ({ token: text, logprob: Math.log(probability), bytes: [] });
const WORDS = "conversation.item.input_audio_transcription";

/** A transcript whose server began to count when a second was recorded. */
const transcript = () => new Transcript((serverMs) => serverMs + 1000);

test("an utterance has the times of the recording and its words as they are told, with how sure each is", () => {
  const found = transcript();
  found.receive(told("input_audio_buffer.speech_started", { audio_start_ms: 200 }), 0);
  found.receive(told(`${WORDS}.delta`, { delta: "good", logprobs: [token("good", 0.9)] }), 0);
  expect(found.utterances).toMatchObject([{ startMs: 1200, endMs: null, state: "live", words: [{ text: "good" }] }]);
  expect(found.isAwaited).toBe(true);
  found.receive(told("input_audio_buffer.speech_stopped", { audio_end_ms: 1500 }), 0);
  found.receive(told("input_audio_buffer.committed"), 9999);
  const logprobs = [token("good", 0.9), token(" day", 0.4)];
  found.receive(told(`${WORDS}.completed`, { transcript: "good day", logprobs }), 9999);
  const [one] = found.utterances;
  expect(one).toMatchObject({ id: "a", startMs: 1200, endMs: 2500, state: "done" });
  expect(one!.words.map(({ text, probability }) => [text, Number(probability!.toFixed(6))])).toEqual([
    ["good", 0.9],
    ["day", 0.4],
  ]);
  expect(found.isAwaited).toBe(false);
});

test("tokens that are parts of words make them up, and are as sure as all of them together", () => {
  const found = transcript();
  const logprobs = [token("un", 0.5), token("like", 0.5), token("ly", 1), token(" so", 1)];
  found.receive(told(`${WORDS}.completed`, { transcript: "unlikely so", logprobs }), 0);
  expect(found.utterances[0]!.words.map(({ text, probability }) => [text, probability])).toEqual([
    ["unlikely", 0.25],
    ["so", 1],
  ]);
});

test("without probabilities, or with those of another text, words are there and nobody is sure", () => {
  for (const logprobs of [undefined, null, [token("other", 1)]]) {
    const found = transcript();
    found.receive(told(`${WORDS}.completed`, { transcript: "good day", logprobs }), 0);
    expect(found.utterances[0]!.words.map(({ text, probability }) => [text, probability])).toEqual([
      ["good", null],
      ["day", null],
    ]);
  }
});

test("an utterance without words is none, one that failed says so", () => {
  const found = transcript();
  found.receive(told("input_audio_buffer.speech_started", { audio_start_ms: 0 }), 0);
  found.receive(told(`${WORDS}.completed`, { transcript: "" }), 0);
  expect(found.utterances).toEqual([]);
  found.receive(told(`${WORDS}.failed`), 0);
  expect(found.utterances).toMatchObject([{ state: "failed" }]);
});

test("a broken line ends what was being said where the recording had got to", () => {
  const found = transcript();
  found.receive(told("input_audio_buffer.speech_started", { audio_start_ms: 0 }), 0);
  found.receive(told(`${WORDS}.delta`, { delta: "good" }), 0);
  found.receive({ type: "input_audio_buffer.speech_started", item_id: "b", audio_start_ms: 900 }, 0);
  found.lose(3000);
  expect(found.utterances).toMatchObject([{ id: "a", state: "failed", endMs: 3000, words: [{ text: "good" }] }]);
});

test("what was committed by hand ends with the recording", () => {
  const found = transcript();
  found.receive(told("input_audio_buffer.speech_started", { audio_start_ms: 0 }), 0);
  found.receive(told("input_audio_buffer.committed"), 4000);
  expect(found.utterances).toMatchObject([{ startMs: 1000, endMs: 4000 }]);
});

test("a file's words go to the segments in which they lie", () => {
  const found = transcript();
  const word = (text: string, start: number, probability?: number) => ({ word: text, start, end: start + 0.2, probability });
  found.read({
    text: "good day again",
    segments: [
      { start: 0.5, end: 1.5, text: " good day" },
      { start: 3, end: 3.4, text: " again" },
    ],
    words: [word("good", 0.5, 0.9), word("day", 1.1, 0.3), word("again", 3)],
  });
  expect(found.utterances).toEqual([
    {
      id: "file-0-0",
      startMs: 500,
      endMs: 1500,
      state: "done",
      words: [
        { text: "good", probability: 0.9, startMs: 500, endMs: 700 },
        { text: "day", probability: 0.3, startMs: 1100, endMs: 1300 },
      ],
    },
    { id: "file-0-1", startMs: 3000, endMs: 3400, state: "done", words: [{ text: "again", probability: null, startMs: 3000, endMs: 3200 }] },
  ]);
});

test("a file of which only the text is told is one utterance, and one without words none", () => {
  const found = transcript();
  found.read({ text: "", duration: 3 });
  expect(found.utterances).toEqual([]);
  found.read({ text: "good day", duration: 3 });
  expect(found.utterances).toMatchObject([{ startMs: 0, endMs: 3000, words: [{ text: "good" }, { text: "day" }] }]);
});

test("how sure a word is has three names, and one for nobody knows", () => {
  expect([1, 0.8, 0.79, 0.5, 0.49, 0, null].map(surenessOf)).toEqual(["sure", "sure", "fair", "fair", "poor", "poor", "unknown"]);
});
