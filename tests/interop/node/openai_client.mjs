// The four conversations, held by openai-node: its `ws` or its native client, in the GA or the beta shape.
import OpenAI from "openai";
import { hold, job, question } from "./common.mjs";

const modules = {
  "ga-ws": ["openai/realtime/ws", "OpenAIRealtimeWS"],
  "ga-native": ["openai/realtime/websocket", "OpenAIRealtimeWebSocket"],
  "beta-ws": ["openai/beta/realtime/ws", "OpenAIRealtimeWS"],
  "beta-native": ["openai/beta/realtime/websocket", "OpenAIRealtimeWebSocket"],
};
const [path, name] = modules[`${job.shape}-${job.socket}`];
const Client = (await import(path))[name];

/** The native client puts its key into a subprotocol, where a server with keys takes client secrets alone. */
async function keyFor(server) {
  if (job.socket === "ws") return job.key;
  if (job.shape === "ga") return (await server.realtime.clientSecrets.create({})).value;
  return (await server.beta.realtime.sessions.create({ model: job.model })).client_secret.value;
}

async function connect(heard, onClose) {
  const apiKey = await keyFor(new OpenAI({ baseURL: job.http_url, apiKey: job.key }));
  const client = new OpenAI({ baseURL: job.http_url, apiKey });
  const talk = new Client({ model: job.model }, client);
  onClose(() => talk.close());
  talk.on("event", (event) => heard.take(event));
  talk.on("error", (error) => heard.fail(error));
  await heard.until(() => heard.seen.includes("session.created"));
  return talk;
}

async function configure(talk, heard, { turns, tools = [] }) {
  const detection = turns ? { type: "server_vad", silence_duration_ms: 500 } : null;
  const transcription = { model: "gpt-4o-mini-transcribe" };
  const session = { instructions: job.instructions, tools };
  if (job.shape === "ga") {
    session.type = "realtime";
    session.audio = { input: { turn_detection: detection, transcription } };
  } else {
    session.turn_detection = detection;
    session.input_audio_transcription = transcription;
  }
  talk.send({ type: "session.update", session });
  await heard.until(() => heard.seen.includes("session.updated"));
}

function ask(talk, text) {
  const content = [{ type: "input_text", text }];
  talk.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
  talk.send({ type: "response.create" });
}

function speak(talk) {
  for (const chunk of question()) {
    talk.send({ type: "input_audio_buffer.append", audio: chunk.toString("base64") });
  }
}

async function text(talk, heard) {
  await configure(talk, heard, { turns: false });
  ask(talk, job.sum);
  await heard.until(() => heard.ended.length === 1);
  const [[id, told]] = heard.told;
  return { status: heard.ended[0].status, told, audio_bytes: heard.audio.get(id) };
}

async function speech(talk, heard) {
  await configure(talk, heard, { turns: true });
  speak(talk);
  await heard.until(() => heard.ended.length === 1 && heard.transcripts.length === 1);
  const [[id, told]] = heard.told;
  return { status: heard.ended[0].status, heard: heard.transcripts[0], told, audio_bytes: heard.audio.get(id) };
}

async function functionCall(talk, heard) {
  await configure(talk, heard, { turns: false, tools: [job.tool] });
  ask(talk, job.weather);
  await heard.until(() => heard.ended.length === 1);
  const call = heard.ended[0].output.find((item) => item.type === "function_call");
  if (heard.calls.length !== 1 || heard.calls[0].call_id !== call.call_id) throw new Error("another call was told");
  heard.told.clear();
  const item = { type: "function_call_output", call_id: call.call_id, output: job.tool_result };
  talk.send({ type: "conversation.item.create", item });
  talk.send({ type: "response.create" });
  await heard.until(() => heard.ended.length === 2);
  return { name: call.name, arguments: call.arguments, told: [...heard.told.values()].join(" ") };
}

async function bargeIn(talk, heard) {
  await configure(talk, heard, { turns: true });
  ask(talk, job.long);
  await heard.until(() => heard.heardBytes >= 2 * 24_000 * 2);
  const [item_id] = heard.audio.keys();
  speak(talk);
  await heard.until(() => heard.seen.includes("input_audio_buffer.speech_started"));
  talk.send({ type: "conversation.item.truncate", item_id, content_index: 0, audio_end_ms: 900 });
  await heard.until(() => heard.truncated.length === 1);
  talk.send({ type: "conversation.item.retrieve", item_id });
  await heard.until(() => heard.kept.has(item_id) && heard.ended.length === 2);
  const told = heard.told.get(item_id);
  heard.told.delete(item_id);
  return {
    status: heard.ended[0].status,
    told,
    kept: heard.kept.get(item_id),
    audio_end_ms: heard.truncated[0].audio_end_ms,
    answer: [...heard.told.values()].join(" "),
  };
}

await hold({ text, speech, function: functionCall, barge_in: bargeIn }, connect);
