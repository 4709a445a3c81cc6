import { beforeEach, describe, expect, it } from "vitest";
import type { PlaybackNews } from "../audio/player";
import { Talk } from "./talk";

/** 100 ms of silence in base64. */
const SOUND = btoa("\0".repeat(4800));

let talk: Talk;
let interruptible: boolean;
let playedThere: boolean;

beforeEach(() => {
  interruptible = true;
  playedThere = false;
  talk = new Talk({
    clock: { timeOf: (ms) => ms + 10_000 },
    silenceMs: () => 500,
    isInterruptible: () => interruptible,
    isPlayedThere: () => playedThere,
    soundDelayMs: () => (playedThere ? 40 : 0),
  });
});

const tell = (type: string, fields: object = {}, now = 0) => talk.receive({ type, ...fields }, now);
const state = (played: { item: string; part: number; ms: number } | null, isPlaying = true): PlaybackNews => ({
  news: "state", played, stockMs: 0, gaps: 0, totalMs: 0, isPlaying,
});
const line = (id: string) => talk.lines.find((one) => one.id === id);

function answer(words: string[], { item = "item_a", response = "resp_1" } = {}): void {
  tell("response.created", { response: { id: response } }, 100);
  tell("response.output_item.added", { response_id: response, item: { id: item, type: "message", role: "assistant" } });
  for (const word of words) {
    tell("response.output_audio_transcript.delta", { response_id: response, item_id: item, delta: word }, 110);
    tell("response.output_audio.delta", { response_id: response, item_id: item, content_index: 0, delta: SOUND }, 120);
  }
}

function finish({ item = "item_a", response = "resp_1", status = "completed" } = {}) {
  tell("response.output_audio.done", { response_id: response, item_id: item });
  tell("response.output_item.done", { response_id: response, item: { id: item, type: "message", role: "assistant" } });
  return tell("response.done", { response: { id: response, status, output: [{ id: item }] } });
}

describe("a spoken turn", () => {
  it("is timed from the user's last word, which silence follows", () => {
    tell("input_audio_buffer.speech_started");
    tell("input_audio_buffer.speech_stopped", { item_id: "item_u", audio_end_ms: 2000 }, 12_010);
    tell("input_audio_buffer.committed", { item_id: "item_u" }, 12_011);
    tell("conversation.item.input_audio_transcription.delta", { item_id: "item_u", delta: "six times" });
    expect(line("item_u")).toMatchObject({ kind: "user", text: "six times", state: "live" });
    tell("conversation.item.input_audio_transcription.completed", { item_id: "item_u", transcript: "Six times seven" }, 12_020);
    expect(line("item_u")).toMatchObject({ text: "Six times seven", state: "done" });
    expect(talk.turns).toEqual([
      { id: "item_u", kind: "spoken", end: 11_500, at: { stopped: 12_010, committed: 12_011, transcribed: 12_020 } },
    ]);
  });

  it("is answered aloud, with the first sound by the playback's word", () => {
    tell("input_audio_buffer.speech_stopped", { item_id: "item_u", audio_end_ms: 500 }, 90);
    answer(["Forty", " two"]);
    talk.receivePlayback({ news: "began", item: "item_a" }, 180);
    expect(talk.turns[0]!.at).toEqual({ stopped: 90, created: 100, firstToken: 110, firstAudio: 120, firstSound: 180 });
  });
});

describe("an answer", () => {
  it("is played as it comes, and shown as it is played", () => {
    tell("response.created", { response: { id: "resp_1" } });
    tell("response.output_audio_transcript.delta", { response_id: "resp_1", item_id: "item_a", delta: "Forty" });
    const effects = tell("response.output_audio.delta", { response_id: "resp_1", item_id: "item_a", content_index: 2, delta: SOUND });
    expect(effects).toEqual([{ do: "play", item: "item_a", part: 2, audio: SOUND }]);
    expect(line("item_a")).toMatchObject({ text: "Forty", spoken: 0 });
    talk.receivePlayback(state({ item: "item_a", part: 2, ms: 50 }), 1);
    expect(line("item_a")).toMatchObject({ spoken: 5 });
  });

  it("is done when it was played to its end, not when it was received", () => {
    answer(["Forty", " two"]);
    expect(finish()).toEqual([{ do: "end" }]);
    talk.receivePlayback(state({ item: "item_a", part: 0, ms: 50 }), 1);
    expect(line("item_a")!.state).toBe("live");
    talk.receivePlayback(state(null, false), 2);
    expect(line("item_a")).toMatchObject({ state: "done", spoken: "Forty two".length });
    expect(talk.announcement).toBe("Forty two");
  });

  it("in writing is shown at once", () => {
    tell("response.created", { response: { id: "resp_1" } });
    tell("response.output_text.delta", { response_id: "resp_1", item_id: "item_a", delta: "Hello" });
    expect(line("item_a")).toMatchObject({ text: "Hello", spoken: 5, state: "live" });
    finish();
    expect(line("item_a")!.state).toBe("done");
  });

  it("that failed says why", () => {
    tell("response.created", { response: { id: "resp_1" } });
    tell("response.done", { response: { id: "resp_1", status: "failed", status_details: { error: { message: "No engine." } } } });
    expect(talk.lines.at(-1)).toMatchObject({ kind: "note", text: "No engine.", state: "failed" });
  });

  it("tells what the session has cost, where the server says", () => {
    tell("response.done", { response: { id: "r", status: "completed", usage: { cost: { usd: 0.1, session_usd: 0.3 } } } });
    expect(talk.cost).toBe(0.3);
  });

  it("of the beta shape is the same answer", () => {
    tell("response.created", { response: { id: "resp_1" } });
    tell("response.audio_transcript.delta", { response_id: "resp_1", item_id: "item_a", delta: "Hi" });
    expect(tell("response.audio.delta", { response_id: "resp_1", item_id: "item_a", content_index: 0, delta: SOUND })).toEqual([
      { do: "play", item: "item_a", part: 0, audio: SOUND },
    ]);
    expect(line("item_a")!.text).toBe("Hi");
  });
});

describe("an interruption", () => {
  beforeEach(() => {
    answer(["Forty", " two"]);
    talk.receivePlayback(state({ item: "item_a", part: 0, ms: 50 }), 1);
  });

  const flushed: PlaybackNews = { news: "flushed", id: 1, playing: { item: "item_a", part: 0, ms: 73.9 }, unheard: [] };

  it("silences at once, and truncates where the sound ended", () => {
    expect(tell("input_audio_buffer.speech_started")).toEqual([{ do: "flush" }, { do: "duck", softly: false }]);
    expect(talk.receivePlayback(flushed, 2)).toEqual([
      { do: "send", event: { type: "conversation.item.truncate", item_id: "item_a", content_index: 0, audio_end_ms: 73 } },
    ]);
    expect(line("item_a")).toMatchObject({ state: "cut", cutMs: 73, spoken: 5, text: "Forty two" });
  });

  it("drops the sound that is still on its way", () => {
    tell("input_audio_buffer.speech_started");
    const late = { response_id: "resp_1", item_id: "item_a", content_index: 0, delta: SOUND };
    expect(tell("response.output_audio.delta", late)).toEqual([]);
    talk.receivePlayback(flushed, 2);
    expect(tell("response.output_audio.delta", late)).toEqual([]);
    expect(tell("response.output_audio.delta", { ...late, item_id: "item_b" })).toEqual([]);
  });

  it("cuts answers that were waiting to nothing", () => {
    finish();
    answer(["Next"], { item: "item_b", response: "resp_2" });
    tell("input_audio_buffer.speech_started");
    const cuts = talk.receivePlayback({ ...flushed, unheard: ["item_b"] }, 2);
    expect(cuts.map((effect) => effect.do === "send" && [effect.event.item_id, effect.event.audio_end_ms])).toEqual([
      ["item_a", 73],
      ["item_b", 0],
    ]);
  });

  it("truncates nothing where nothing plays", () => {
    finish();
    talk.receivePlayback(state(null, false), 2);
    expect(tell("input_audio_buffer.speech_started")).toEqual([]);
  });

  it("is not made by speech where the visitor does not want it", () => {
    interruptible = false;
    expect(tell("input_audio_buffer.speech_started")).toEqual([]);
  });

  it("by hand cancels the answer too", () => {
    expect(talk.interrupt()).toEqual([
      { do: "send", event: { type: "response.cancel" } },
      { do: "flush" },
      { do: "duck", softly: false },
    ]);
  });

  it("that may be none lowers the voice, and raises it again", () => {
    expect(tell("output_audio_buffer.ducked")).toEqual([{ do: "duck", softly: true }]);
    expect(tell("output_audio_buffer.restored")).toEqual([{ do: "duck", softly: false }]);
  });
});

describe("an answer that the server plays", () => {
  const words = "one two three four five six seven eight";
  const began = (response = "resp_1", now = 1000) => tell("output_audio_buffer.started", { response_id: response }, now);
  const say = (item = "item_a", response = "resp_1") => {
    tell("response.created", { response: { id: response } }, 100);
    tell("response.output_item.added", { response_id: response, item: { id: item, type: "message", role: "assistant" } });
    tell("response.output_audio_transcript.delta", { response_id: response, item_id: item, delta: words }, 110);
  };

  beforeEach(() => {
    playedThere = true;
    talk.type("count", 50);
    say();
  });

  it("is timed by the server's word, and lights up at the pace of speech", () => {
    expect(began()).toEqual([{ do: "hush", isHushed: false }]);
    expect(talk.turns[0]!.at).toEqual({ created: 100, firstToken: 110, firstSound: 1040 });
    expect(talk.isPlaying).toBe(true);
    talk.receiveTime(1040);
    expect(line("item_a")!.spoken).toBe(0);
    talk.receiveTime(1540);
    expect(words.slice(0, line("item_a")!.spoken)).toBe("one two three");
    finish();
    expect(line("item_a")!.state).toBe("live");
    tell("output_audio_buffer.stopped", { response_id: "resp_1" }, 3000);
    expect([line("item_a")!.state, line("item_a")!.spoken, talk.isPlaying]).toEqual(["done", words.length, false]);
  });

  it("teaches the pace of the next", () => {
    began();
    tell("output_audio_buffer.stopped", { response_id: "resp_1" }, 1000 + words.length * 40);
    say("item_b", "resp_2");
    began("resp_2", 5000);
    talk.receiveTime(5540);
    // 25 and 15 characters a second make 20.
    expect(words.slice(0, line("item_b")!.spoken)).toBe("one two three");
    talk.receiveTime(5740);
    expect(words.slice(0, line("item_b")!.spoken)).toBe("one two three four");
  });

  it("is silenced at once by speech, cut by the server, and shown as far as the server says it was heard", () => {
    began();
    talk.receiveTime(1540);
    expect(tell("input_audio_buffer.speech_started", {}, 1550)).toEqual([{ do: "hush", isHushed: true }]);
    finish({ status: "cancelled" });
    expect(tell("output_audio_buffer.cleared", { response_id: "resp_1" }, 1560)).toEqual([]);
    expect([line("item_a")!.state, talk.isPlaying]).toEqual(["cut", false]);
    expect(tell("conversation.item.truncated", { item_id: "item_a", content_index: 0, audio_end_ms: 460 }, 1570)).toEqual([
      { do: "send", event: { type: "conversation.item.retrieve", event_id: "optional-kept-item_a", item_id: "item_a" } },
    ]);
    expect(line("item_a")).toMatchObject({ state: "cut", cutMs: 460, spoken: "one two".length });
    tell("conversation.item.retrieved", { item: { id: "item_a", content: [{ type: "output_audio", transcript: "one two three" }] } });
    expect(line("item_a")!.spoken).toBe("one two three".length);
    expect(tell("input_audio_buffer.speech_stopped", { item_id: "item_u", audio_end_ms: 900 }, 11_000)).toEqual([
      { do: "hush", isHushed: false },
    ]);
  });

  it("is left alone by speech where the visitor does not want it cut", () => {
    interruptible = false;
    began();
    expect(tell("input_audio_buffer.speech_started")).toEqual([]);
  });

  it("is ended by hand with the server's buffer", () => {
    began();
    expect(talk.interrupt()).toEqual([
      { do: "send", event: { type: "response.cancel" } },
      { do: "send", event: { type: "output_audio_buffer.clear" } },
      { do: "hush", isHushed: true },
    ]);
  });

  it("is ducked by the server itself", () => {
    expect([tell("output_audio_buffer.ducked"), tell("output_audio_buffer.restored")]).toEqual([[], []]);
  });

  it("was not heard where it was cancelled before it began", () => {
    finish({ status: "cancelled" });
    expect(line("item_a")).toMatchObject({ state: "cut", spoken: 0, cutMs: 0 });
  });

  it("ends where the line breaks", () => {
    began();
    talk.receiveTime(1540);
    talk.lose();
    expect(line("item_a")).toMatchObject({ state: "cut", cutMs: 500, spoken: "one two three".length });
  });
});

describe("tools", () => {
  const call = (callId: string) => ({ item: { id: `item_${callId}`, type: "function_call", status: "completed", call_id: callId, name: "clock", arguments: "{}" } });

  it("are called, shown, and answered once all of them have", () => {
    tell("response.created", { response: { id: "resp_1" } });
    expect(tell("response.output_item.done", call("c1"))).toEqual([{ do: "call", callId: "c1", name: "clock", arguments: "{}" }]);
    tell("response.output_item.done", call("c2"));
    expect(talk.answerCall("c1", "1").map((effect) => effect.do)).toEqual(["send"]);
    expect(talk.answerCall("c2", "2").map((effect) => effect.do)).toEqual(["send"]);
    expect(tell("response.done", { response: { id: "resp_1", status: "completed" } })).toEqual([
      { do: "end" },
      { do: "send", event: { type: "response.create" } },
    ]);
    expect(line("c1")).toMatchObject({ kind: "tool", state: "done", tool: { name: "clock", output: "1" } });
  });

  it("of a cancelled answer get no answer of their own", () => {
    tell("response.created", { response: { id: "resp_1" } });
    tell("response.output_item.done", call("c1"));
    tell("response.done", { response: { id: "resp_1", status: "cancelled" } });
    expect(talk.answerCall("c1", "1").map((effect) => effect.do === "send" && effect.event.type)).toEqual(["conversation.item.create"]);
  });
});

describe("writing and holding", () => {
  it("sends what was written, and asks for an answer", () => {
    expect(talk.type("Hello", 5).map((effect) => effect.do === "send" && effect.event.type)).toEqual([
      "conversation.item.create",
      "response.create",
    ]);
    expect(talk.turns).toEqual([{ id: "typed-5", kind: "typed", end: 5, at: {} }]);
    expect(talk.lines[0]).toMatchObject({ kind: "user", text: "Hello", state: "done" });
  });

  it("commits what was said while the button was held", () => {
    expect(talk.hold()).toEqual([{ do: "send", event: { type: "input_audio_buffer.clear" } }]);
    expect(talk.release(50).map((effect) => effect.do === "send" && effect.event.type)).toEqual([
      "input_audio_buffer.commit",
      "response.create",
    ]);
    tell("input_audio_buffer.committed", { item_id: "item_u" }, 55);
    tell("conversation.item.input_audio_transcription.completed", { item_id: "item_u", transcript: "Hi" }, 60);
    expect(talk.turns[0]).toEqual({ id: "item_u", kind: "pushed", end: 50, at: { committed: 55, transcribed: 60 } });
  });
});

describe("a line that breaks", () => {
  beforeEach(() => {
    answer(["Forty", " two"]);
    talk.receivePlayback(state({ item: "item_a", part: 0, ms: 50 }), 1);
  });

  it("leaves what was received to be played to its end", () => {
    expect(talk.lose()).toEqual([{ do: "end" }]);
    expect([talk.isAnswering, line("item_a")!.state]).toEqual([false, "live"]);
    talk.receivePlayback(state(null, false), 2);
    expect(line("item_a")).toMatchObject({ state: "done", spoken: "Forty two".length });
  });

  it("by the visitor's will ends the sound too", () => {
    talk.end();
    expect(line("item_a")).toMatchObject({ state: "cut", cutMs: 50, spoken: 5 });
  });

  it("closes what the user was saying", () => {
    tell("conversation.item.input_audio_transcription.delta", { item_id: "item_u", delta: "six ti" });
    talk.lose();
    expect(line("item_u")).toMatchObject({ text: "six ti", state: "done" });
  });
});

describe("mistakes", () => {
  it("are told in the server's words", () => {
    tell("error", { error: { message: "Invalid value: 'x'.", code: "invalid_value" } });
    expect(talk.lines[0]).toMatchObject({ kind: "note", text: "Invalid value: 'x'.", state: "failed" });
  });

  it("are no matter where the answer was over anyway, or a server lacks an extension", () => {
    tell("error", { error: { message: "x", code: "response_cancel_not_active" } });
    tell("error", { error: { message: "x", code: "invalid_value", event_id: "optional-cost" } });
    expect(talk.lines).toEqual([]);
  });

  it("leave unknown events without effect", () => {
    expect(tell("something.new", { item_id: 7, delta: null })).toEqual([]);
    expect(tell("response.output_audio_transcript.delta", {})).toEqual([]);
  });
});
