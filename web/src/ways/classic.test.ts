import { expect, test } from "vitest";
import type { PlaybackNews } from "../audio/player";
import { Classic, type Effect } from "./classic";

const RECORDING = new Blob(["sound"]);
const second = () => new Int16Array(24_000);

function talking(hasSound = true): Classic {
  return new Classic({ instructions: () => " Be short. ", hasSound: () => hasSound });
}

function state(item: string | null, ms: number, isPlaying = item !== null): PlaybackNews {
  const played = item === null ? null : { item, part: 0, ms };
  return { news: "state", played, stockMs: 0, gaps: 0, totalMs: ms, isPlaying };
}

const kinds = (effects: Effect[]) => effects.map((effect) => effect.do);

/** A question that was asked and answered, up to the end of the answer's text. */
function answered(classic: Classic): void {
  classic.record(RECORDING, 1000);
  classic.transcribed("what is six times seven", 1400);
  classic.said("That is 42. ", 1500);
  classic.said("Anything else?", 1550);
  classic.answered();
}

test("a recording is written down, answered and spoken, and each step is timed from its end", () => {
  const classic = talking();
  expect(classic.record(RECORDING, 1000)).toEqual([{ do: "transcribe", recording: RECORDING }]);
  expect(classic.stages).toEqual(["words"]);
  expect(classic.lines).toMatchObject([{ kind: "user", text: "", state: "live" }]);
  expect(classic.transcribed(" what is six times seven ", 1400)).toEqual([
    {
      do: "answer",
      messages: [
        { role: "system", content: "Be short." },
        { role: "user", content: "what is six times seven" },
      ],
    },
  ]);
  expect(classic.said("That is", 1500)).toEqual([]);
  expect(classic.said(" 42. Any", 1520)).toEqual([{ do: "speak", text: "That is 42." }]);
  expect(classic.said("thing else?", 1530)).toEqual([]);
  expect(classic.stages).toEqual(["answer", "voice"]);
  expect(classic.answered()).toEqual([]);
  const pcm = second();
  expect(classic.sounded(pcm, 1600)).toEqual([{ do: "play", item: "classic-1", pcm }]);
  classic.receivePlayback({ news: "began", item: "classic-1" }, 1650);
  expect(classic.voiced()).toEqual([{ do: "speak", text: "Anything else?" }]);
  classic.sounded(second(), 1700);
  expect(classic.voiced()).toEqual([{ do: "end" }]);
  expect(classic.turns).toEqual([
    { id: "classic-1", kind: "recorded", end: 1000, at: { transcribed: 1400, firstToken: 1500, firstAudio: 1600, firstSound: 1650 } },
  ]);
  classic.receivePlayback(state("classic-1", 500), 2000);
  expect(classic.lines[1]).toMatchObject({ kind: "assistant", state: "live", spoken: "That is".length });
  classic.receivePlayback(state(null, 0), 4000);
  expect(classic.lines[1]).toMatchObject({ text: "That is 42. Anything else?", state: "done" });
  expect(classic.isAtWork).toBe(false);
});

test("what was said before is told with the next question", () => {
  const classic = talking();
  answered(classic);
  classic.sounded(second(), 1600);
  classic.voiced();
  classic.sounded(second(), 1700);
  classic.voiced();
  classic.receivePlayback(state("classic-1", 2000), 4000);
  classic.receivePlayback(state(null, 0), 4010);
  expect(classic.type("and eight", 5000)).toEqual([
    {
      do: "answer",
      messages: [
        { role: "system", content: "Be short." },
        { role: "user", content: "what is six times seven" },
        { role: "assistant", content: "That is 42. Anything else?" },
        { role: "user", content: "and eight" },
      ],
    },
  ]);
  expect(classic.turns[1]).toMatchObject({ kind: "typed", end: 5000 });
});

test("an answer that is interrupted falls silent, and only what was heard of it is told later", () => {
  const classic = talking();
  answered(classic);
  classic.sounded(second(), 1600);
  classic.receivePlayback(state("classic-1", 900), 2500);
  const effects = classic.type("stop that", 2600);
  expect(kinds(effects)).toEqual(["abort", "flush", "answer"]);
  classic.receivePlayback({ news: "flushed", id: 1, playing: { item: "classic-1", part: 0, ms: 950 }, unheard: [] }, 2610);
  expect(classic.lines[1]).toMatchObject({ state: "cut", cutMs: 950, spoken: "That is 42.".length });
  const asked = effects.find((effect) => effect.do === "answer");
  expect(asked?.messages[2]).toEqual({ role: "assistant", content: "That is 42." });
});

test("of an answer that is ended before its sound nothing was heard", () => {
  const classic = talking();
  classic.type("hello", 1000);
  classic.said("Good day. ", 1100);
  expect(classic.stop()).toEqual([{ do: "abort" }]);
  expect(classic.lines[1]).toMatchObject({ text: "Good day. ", state: "cut", spoken: 0, cutMs: 0 });
});

test("a recording that was not written down is kept, and tried again", () => {
  const classic = talking();
  classic.record(RECORDING, 1000);
  expect(classic.failed({ stage: "words", reason: "unreachable", message: "" })).toEqual([{ do: "end" }]);
  expect(classic.stages).toEqual([]);
  expect(classic.lines).toMatchObject([{ kind: "user", state: "failed" }]);
  expect(classic.retry(9000)).toEqual([{ do: "transcribe", recording: RECORDING }]);
  expect(classic.failure).toBeNull();
  expect(classic.lines).toMatchObject([{ kind: "user", state: "live" }]);
  classic.transcribed("hello", 9300);
  expect(classic.turns).toEqual([{ id: "classic-1", kind: "recorded", end: 9000, at: { transcribed: 9300 } }]);
});

test("a recording without words is said to be one, and asks nothing", () => {
  const classic = talking();
  classic.record(RECORDING, 1000);
  expect(classic.transcribed("  ", 1300)).toEqual([{ do: "end" }]);
  expect(classic.failure).toEqual({ stage: "words", reason: "nothing", message: "" });
  expect(classic.lines).toMatchObject([{ kind: "user", text: "", state: "done" }]);
  expect(kinds(classic.type("hello", 2000))).toEqual(["answer"]);
  expect(classic.failure).toBeNull();
});

test("a recording whose writing down was ended is kept too", () => {
  const classic = talking();
  classic.record(RECORDING, 1000);
  expect(classic.stop()).toEqual([{ do: "abort" }]);
  expect(classic.failure).toMatchObject({ stage: "words", reason: "stopped" });
  expect(kinds(classic.retry(2000))).toEqual(["transcribe"]);
});

test("an answer that broke off is asked for anew, with the same question", () => {
  const classic = talking();
  classic.record(RECORDING, 1000);
  classic.transcribed("hello", 1400);
  classic.said("Good day. How ", 1500);
  classic.sounded(second(), 1550);
  expect(kinds(classic.failed({ stage: "answer", reason: "unreachable", message: "" }))).toEqual(["abort", "end"]);
  const again = classic.retry(5000);
  expect(kinds(again)).toEqual(["flush", "answer"]);
  expect(again.find((effect) => effect.do === "answer")?.messages.at(-1)).toEqual({ role: "user", content: "hello" });
  expect(classic.said("Hello.\n", 5100)).toEqual([{ do: "speak", text: "Hello." }]);
  classic.sounded(second(), 5200);
  classic.voiced();
  classic.answered();
  classic.receivePlayback(state("classic-1", 900), 6000);
  classic.receivePlayback(state(null, 0), 6200);
  expect(classic.lines[1]).toMatchObject({ text: "Hello.\n", state: "done" });
});

test("an answer without words is a failure that says so", () => {
  const classic = talking();
  classic.type("hello", 1000);
  expect(kinds(classic.answered())).toEqual(["abort", "end"]);
  expect(classic.failure).toEqual({ stage: "answer", reason: "nothing", message: "" });
});

test("where the voice fails the answer is still written to its end, and then spoken from there", () => {
  const classic = talking();
  classic.type("hello", 1000);
  classic.said("One. Two. Thr", 1100);
  classic.sounded(second(), 1200);
  expect(classic.voiced()).toEqual([{ do: "speak", text: "Two." }]);
  expect(classic.failed({ stage: "voice", reason: "busy", message: "" })).toEqual([{ do: "end" }]);
  expect(classic.stages).toEqual(["answer"]);
  expect(classic.said("ee.", 1300)).toEqual([]);
  expect(classic.answered()).toEqual([]);
  expect(classic.retry(2000)).toEqual([{ do: "speak", text: "Two." }]);
  expect(classic.voiced()).toEqual([{ do: "speak", text: "Three." }]);
});

test("an answer whose voice failed is read where there is no sound any more", () => {
  let hasSound = true;
  const classic = new Classic({ instructions: () => "", hasSound: () => hasSound });
  classic.type("hello", 1000);
  classic.said("Good day.", 1100);
  classic.answered();
  classic.failed({ stage: "voice", reason: "busy", message: "" });
  hasSound = false;
  expect(classic.retry(2000)).toEqual([]);
  expect(classic.lines[1]).toMatchObject({ state: "done", spoken: "Good day.".length });
});

test("without sound an answer is read, and complete when it is written", () => {
  const classic = talking(false);
  classic.type("hello", 1000);
  classic.said("Good day. How are you?", 1100);
  expect(classic.answered()).toEqual([]);
  expect(classic.lines[1]).toMatchObject({ state: "done", spoken: "Good day. How are you?".length });
  expect(classic.isAtWork).toBe(false);
});

test("a cleared conversation is forgotten by what is told next", () => {
  const classic = talking();
  answered(classic);
  expect(kinds(classic.clear())).toEqual(["abort"]);
  expect(classic.lines).toEqual([]);
  expect(classic.type("hello", 3000)).toEqual([
    {
      do: "answer",
      messages: [
        { role: "system", content: "Be short." },
        { role: "user", content: "hello" },
      ],
    },
  ]);
});

test("lines that have not changed are the same objects", () => {
  const classic = talking();
  answered(classic);
  expect(classic.lines[0]).toBe(classic.lines[0]);
});
