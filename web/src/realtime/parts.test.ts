import { describe, expect, it } from "vitest";
import { fromBase64, fromPcm16, toBase64, toPcm16 } from "../audio/pcm";
import { MOST_ATTEMPTS, parting, waitMs } from "./backoff";
import { spokenLength } from "./captions";
import { SentClock } from "./clock";
import { bars, median, medianTotal, note, total, type Turn } from "./latency";
import { EventLog } from "./log";
import { DEFAULTS, fromFragment, needsNewConnection, read, toFragment, toSession } from "./settings";
import { call, TOOLS } from "./tools";
import { decode } from "./wire";

describe("latency", () => {
  const turn = (end: number, firstSound?: number): Turn => ({ id: "a", kind: "spoken", end, at: firstSound ? { firstSound } : {} });

  it("lays the steps in the order in which they were taken", () => {
    const one: Turn = { id: "a", kind: "spoken", end: 1000, at: { stopped: 1500, created: 1510, transcribed: 1540, firstSound: 1600 } };
    expect(bars(one)).toEqual([
      { step: "stopped", from: 0, to: 500 },
      { step: "created", from: 500, to: 510 },
      { step: "transcribed", from: 510, to: 540 },
      { step: "firstSound", from: 540, to: 600 },
    ]);
  });

  it("takes the middle of the turns that sounded", () => {
    expect(medianTotal([turn(0, 300), turn(0), turn(0, 100), turn(0, 200)])).toBe(200);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect([median([]), total(turn(0))]).toEqual([null, null]);
  });

  it("keeps the first of each step", () => {
    const one = turn(0);
    note(one, "firstAudio", 5);
    note(one, "firstAudio", 9);
    note(undefined, "firstAudio", 9);
    expect(one.at).toEqual({ firstAudio: 5 });
  });
});

describe("captions", () => {
  const text = "one two three four";

  it("show words in proportion to the sound that follows them, whole words at a time", () => {
    const marks = [{ end: text.length, atMs: 0 }];
    expect([0, 1, 300, 600, 1000].map((ms) => text.slice(0, spokenLength(text, marks, ms, 1000)))).toEqual([
      "", "one", "one two", "one two three", text,
    ]);
  });

  it("do not run ahead of a piece whose sound has not begun", () => {
    const marks = [{ end: 7, atMs: 0 }, { end: text.length, atMs: 400 }];
    expect(spokenLength(text, marks, 400, 1000)).toBe(7);
    expect(spokenLength(text, marks, 399, 1000)).toBe(7);
    expect(spokenLength(text, marks, 1000, 1000)).toBe(text.length);
  });

  it("join pieces that came before the same sound", () => {
    const marks = [{ end: 3, atMs: 0 }, { end: 7, atMs: 0 }, { end: text.length, atMs: 0 }];
    expect(text.slice(0, spokenLength(text, marks, 380, 1000))).toBe("one two");
    expect(spokenLength(text, marks, 0, 0)).toBe(text.length);
  });
});

describe("the clock of what was sent", () => {
  it("knows when each sample was heard", () => {
    const clock = new SentClock();
    for (let frame = 1; frame <= 10; frame++) clock.sentFrame(1000 + 20 * frame);
    expect([clock.timeOf(20), clock.timeOf(30), clock.timeOf(200)]).toEqual([1020, 1030, 1200]);
    expect([clock.timeOf(0), clock.timeOf(201)]).toEqual([null, null]);
    clock.reset();
    expect(clock.timeOf(20)).toBeNull();
  });

  it("runs by itself with a track", () => {
    const clock = new SentClock();
    clock.reset(5000);
    expect(clock.timeOf(1234)).toBe(6234);
  });
});

describe("settings", () => {
  it("survive being kept, and take only what they know", () => {
    expect(read(JSON.parse(JSON.stringify({ ...DEFAULTS, voice: "ash" })))).toEqual({ ...DEFAULTS, voice: "ash" });
    expect(read({ voice: 7, mode: "shout", threshold: 3, silenceMs: null, other: 1 })).toEqual(DEFAULTS);
    expect(read(null)).toEqual(DEFAULTS);
  });

  it("travel in a link, but for what belongs to one's own room", () => {
    const theirs = { ...DEFAULTS, instructions: "Say “hé” #1", silenceMs: 700, volume: 0.2, theme: "dark" as const };
    const own = { ...DEFAULTS, volume: 0.6, voice: "ash" };
    expect(fromFragment(toFragment(theirs), own)).toEqual({ ...theirs, volume: 0.6, theme: "system" });
    expect(toFragment({ ...DEFAULTS, volume: 0.2 })).toBe("");
    expect([fromFragment("", own), fromFragment("#top", own), fromFragment("#%", own), fromFragment("#7", own)]).toEqual([null, null, null, null]);
  });

  it("become a session of the GA shape", () => {
    expect(toSession({ ...DEFAULTS, idleMs: 6000, interruption: "adaptive", language: "" }, TOOLS)).toEqual({
      type: "realtime",
      output_modalities: ["audio"],
      instructions: DEFAULTS.instructions,
      audio: {
        input: {
          format: { type: "audio/pcm", rate: 24_000 },
          transcription: { model: DEFAULTS.transcriptionModel },
          noise_reduction: null,
          turn_detection: {
            type: "server_vad", threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 500, idle_timeout_ms: 6000,
            create_response: true, interrupt_response: true, interruption_mode: "adaptive",
          },
        },
        output: { format: { type: "audio/pcm", rate: 24_000 }, voice: "alloy", speed: 1 },
      },
      tools: TOOLS,
      tool_choice: "auto",
    });
  });

  it("become a session of the beta shape, and one without turns", () => {
    expect(toSession({ ...DEFAULTS, shape: "beta", tools: false, mode: "push-to-talk" }, TOOLS)).toMatchObject({
      modalities: ["audio", "text"], temperature: 0.8, input_audio_format: "pcm16", turn_detection: null, tools: [],
    });
  });

  it("need a new connection for another model, shape or road alone", () => {
    expect(needsNewConnection(DEFAULTS, { ...DEFAULTS, voice: "ash" })).toBe(false);
    expect(needsNewConnection(DEFAULTS, { ...DEFAULTS, model: "x" })).toBe(true);
    expect(needsNewConnection(DEFAULTS, { ...DEFAULTS, shape: "beta" })).toBe(true);
    expect(needsNewConnection(DEFAULTS, { ...DEFAULTS, road: "webrtc" })).toBe(true);
  });
});

describe("connecting again", () => {
  it("waits longer each time, up to a quarter of a minute", () => {
    expect([0, 1, 2, 10].map((attempt) => waitMs(attempt, 0.5))).toEqual([500, 1000, 2000, 15_000]);
    expect([waitMs(0, 0), waitMs(0, 1)]).toEqual([375, 625]);
  });

  it("outlasts the time for which servers remember a conversation", () => {
    const whole = Array.from({ length: MOST_ATTEMPTS }, (_, attempt) => waitMs(attempt, 0)).reduce((sum, ms) => sum + ms, 0);
    expect(whole).toBeGreaterThan(100_000);
  });

  it("is for lines that broke, not for servers that have said their last word", () => {
    expect([1000, 1001, 1006, 1011, 1012, 1013, 1008, 4000, 4001].map(parting)).toEqual([
      "over", "expired", "again", "again", "again", "again", "fatal", "fatal", "elsewhere",
    ]);
  });
});

describe("tools", () => {
  const at = new Date("2026-03-01T10:00:00Z");

  it("tell the time and colour the page", () => {
    const colours: string[] = [];
    expect(JSON.parse(call("get_current_time", "", () => {}, at))).toMatchObject({
      local_time: expect.stringContaining("March 2026"),
      time_zone: expect.any(String),
    });
    expect(call("set_page_colour", '{"colour":"teal"}', (colour) => colours.push(colour), at)).toBe('{"colour":"teal"}');
    expect(colours).toEqual(["teal"]);
  });

  it("answer mistakes instead of throwing them", () => {
    for (const [name, json] of [["set_page_colour", '{"colour":"plaid"}'], ["set_page_colour", "{"], ["other", "{}"]] as const) {
      expect(JSON.parse(call(name, json, () => {}, at))).toHaveProperty("error");
    }
  });
});

describe("the log", () => {
  it("counts what streams in both directions at once", () => {
    const log = new EventLog();
    const append = { type: "input_audio_buffer.append", audio: "AAAA" };
    const told = { type: "input_audio_buffer.voice_probability", probabilities: [0.1] };
    for (let i = 0; i < 3; i++) {
      log.add("client", append, i);
      log.add("server", told, i);
    }
    log.add("client", { type: "input_audio_buffer.commit" }, 4);
    log.add("client", append, 5);
    expect(log.entries.map((entry) => [entry.type.split(".")[1], (JSON.parse(entry.json) as { frames?: number }).frames])).toEqual([
      ["append", 3],
      ["voice_probability", 3],
      ["commit", undefined],
      ["append", 1],
    ]);
  });

  it("counts frames of sound, names sound by its length, and hides what takes up a conversation", () => {
    const log = new EventLog();
    log.add("client", { type: "input_audio_buffer.append", audio: "AAAA" }, 1);
    log.add("client", { type: "input_audio_buffer.append", audio: "AAAA" }, 2);
    log.add("server", { type: "response.output_audio.delta", delta: "AAAA" }, 3);
    log.add("server", { type: "response.output_text.delta", delta: "AAAA" }, 4);
    log.add("server", { type: "session.created", session: { resume: { token: "secret" } } }, 5);
    expect(log.entries.map((entry) => JSON.parse(entry.json))).toEqual([
      { type: "input_audio_buffer.append", frames: 2 },
      { type: "response.output_audio.delta", delta: "(4 characters of base64)" },
      { type: "response.output_text.delta", delta: "AAAA" },
      { type: "session.created", session: { resume: { token: "..." } } },
    ]);
    const lines = log.text().trim().split("\n").map((one) => JSON.parse(one) as { at_ms: number });
    expect(lines.map((one) => one.at_ms)).toEqual([1, 3, 4, 5]);
  });
});

describe("sound on the wire", () => {
  it("comes back as it went", () => {
    const samples = Float32Array.from([0, 0.5, -0.5, -1, 32767 / 32768]);
    expect(fromPcm16(fromBase64(toBase64(toPcm16(samples))))).toEqual(samples);
    expect(toPcm16(Float32Array.from([2, -2]))).toEqual(Int16Array.from([32_767, -32_768]));
  });

  it("loses half a sample rather than all", () => {
    expect(fromBase64(btoa("\x01\x00\x02"))).toEqual(Int16Array.from([1]));
  });
});

describe("frames", () => {
  it("that are no events are none", () => {
    expect(['{"type":"a"}', "{", "7", "null", '{"kind":1}'].map(decode)).toEqual([{ type: "a" }, null, null, null, null]);
  });
});
