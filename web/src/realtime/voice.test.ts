import { expect, test } from "vitest";
import { ASKED, PROBABILITY, SHOWN_MS, VoiceWatch } from "./voice";

const told = (endMs: number, ...probabilities: number[]) => ({
  type: PROBABILITY,
  audio_end_ms: endMs,
  frame_ms: 32,
  probabilities,
  threshold: 0.5,
});

test("frames stand where they end, the latest last", () => {
  const voice = new VoiceWatch();
  voice.receive(told(160, 0.1, 0.2, 0.3, 0.4, 0.5), 7);
  voice.receive(told(192, 0.6), 8);
  expect(voice.frames.map(({ endMs }) => endMs)).toEqual([32, 64, 96, 128, 160, 192]);
  expect(voice.frames.at(-1)!.probability).toBe(0.6);
  expect([voice.threshold, voice.toldAt]).toEqual([0.5, 8]);
});

test("what is older than the picture is forgotten, and a clock that goes back begins it anew", () => {
  const voice = new VoiceWatch();
  for (let ms = 160; ms <= 2 * SHOWN_MS; ms += 160) voice.receive(told(ms, 0, 0, 0, 0, 0), ms);
  expect(voice.frames).toHaveLength(SHOWN_MS / 32);
  voice.receive(told(160, 1, 1, 1, 1, 1), 0);
  expect(voice.frames).toHaveLength(5);
});

test("frames of a turn are known, also while it goes on", () => {
  const voice = new VoiceWatch();
  voice.receive(told(320, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1), 0);
  const turns = () => voice.frames.filter((frame) => voice.isTurn(frame)).map(({ endMs }) => endMs);
  expect(turns()).toEqual([]);
  voice.receive({ type: "input_audio_buffer.speech_started", audio_start_ms: 96 }, 0);
  expect(turns()[0]).toBe(128);
  expect(turns().at(-1)).toBe(320);
  voice.receive({ type: "input_audio_buffer.speech_stopped", audio_end_ms: 160 }, 0);
  expect(turns()).toEqual([128, 160]);
});

test("a server that refuses or says nothing is known to be silent", () => {
  const voice = new VoiceWatch();
  expect(voice.isSilent(99_999)).toBe(false);
  voice.ask(0);
  expect([voice.isSilent(1000), voice.isSilent(5000)]).toEqual([false, true]);
  voice.receive(told(32, 0.5), 5001);
  expect(voice.isSilent(9000)).toBe(false);
  voice.receive({ type: "error", error: { event_id: "event_other" } }, 0);
  expect(voice.isSilent(9000)).toBe(false);
  voice.receive({ type: "error", error: { event_id: ASKED } }, 0);
  expect(voice.isSilent(9000)).toBe(true);
  voice.ask(10_000);
  expect(voice.isSilent(10_001)).toBe(false);
});
