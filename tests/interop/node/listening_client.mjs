// A transcription and a translation session, held by openai-node.
import OpenAI from "openai";
import { OpenAIRealtimeTranslationWS } from "openai/realtime/translations/ws";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { hold, job, question } from "./common.mjs";

const client = new OpenAI({ baseURL: job.http_url, apiKey: job.key });
const TRANSCRIBED = "conversation.item.input_audio_transcription.";
const events = [];

async function opened(talk, heard, onClose) {
  onClose(() => talk.close());
  events.length = 0;
  talk.on("event", (event) => {
    events.push(event);
    heard.take(event);
  });
  talk.on("error", (error) => heard.fail(error));
  await heard.until(() => heard.seen.includes("session.created"));
  return talk;
}

const joined = (kind) => events.filter((event) => event.type === kind).map((event) => event.delta);

async function turns(heard, onClose) {
  const talk = await opened(new OpenAIRealtimeWS({ intent: "transcription" }, client), heard, onClose);
  const transcription = { model: "gpt-4o-transcribe", language: "en" };
  const include = ["item.input_audio_transcription.logprobs"];
  talk.send({ type: "session.update", session: { type: "transcription", audio: { input: { transcription } }, include } });
  await heard.until(() => heard.seen.includes("session.updated"));
  for (const chunk of question()) talk.send({ type: "input_audio_buffer.append", audio: chunk.toString("base64") });
  await heard.until(() => heard.transcripts.length === 1);
  const completed = events.at(-1);
  return {
    kinds: heard.seen.slice(1),
    transcript: completed.transcript,
    deltas: joined(`${TRANSCRIBED}delta`).join(""),
    items: [completed.item_id],
    usage: completed.usage,
    logprobs: completed.logprobs.length,
  };
}

async function translation(heard, onClose) {
  const talk = await OpenAIRealtimeTranslationWS.create(client, { model: "gpt-realtime-translate" });
  await opened(talk, heard, onClose);
  const audio = { input: { transcription: { model: "whisper-1" } }, output: { language: "es" } };
  talk.send({ type: "session.update", session: { audio } });
  await heard.until(() => heard.seen.includes("session.updated"));
  for (const chunk of question()) {
    talk.send({ type: "session.input_audio_buffer.append", audio: chunk.toString("base64") });
  }
  await talk.finish({ timeoutMs: job.patience * 1000 });
  const audioBytes = joined("session.output_audio.delta").reduce((sum, each) => sum + Buffer.from(each, "base64").length, 0);
  return {
    heard: joined("session.input_transcript.delta").join(""),
    told: joined("session.output_transcript.delta").join(""),
    audio_ms: audioBytes / 48,
    first: events[0].type,
    last: events.at(-1).type,
  };
}

const talks = { turns, translation };
const chosen = Object.fromEntries(job.talks.map((name) => [name, (talk) => talk()]));
let next = 0;
await hold(chosen, async (heard, onClose) => {
  const talk = talks[job.talks[next++]];
  return () => talk(heard, onClose);
});
process.exit(0);
