// The four conversations, held by the RealtimeSession of @openai/agents over its WebSocket transport.
import { RealtimeAgent, RealtimeSession, tool } from "@openai/agents/realtime";
import { z } from "zod";
import { hold, job, question } from "./common.mjs";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const weather = tool({
  name: job.tool.name,
  description: job.tool.description,
  parameters: z.object({ location: z.string() }),
  execute: async () => job.tool_result,
});

async function connect(heard, onClose) {
  const agent = new RealtimeAgent({ name: "Helper", instructions: job.instructions, tools: [weather] });
  const session = new RealtimeSession(agent, {
    transport: "websocket",
    model: job.model,
    config: {
      audio: {
        input: {
          turnDetection: { type: "server_vad", silenceDurationMs: 500, interruptResponse: true, createResponse: true },
          transcription: { model: "gpt-4o-mini-transcribe" },
        },
      },
    },
  });
  onClose(() => session.close());
  session.on("transport_event", (event) => heard.take(event));
  session.on("error", (error) => heard.fail(new Error(`the SDK reports an error: ${JSON.stringify(error)}`)));
  session.on("audio_interrupted", () => heard.seen.push("audio_interrupted"));
  await session.connect({ apiKey: job.key, url: `${job.ws_url}/realtime?model=${job.model}` });
  await heard.until(() => heard.seen.includes("session.updated"));
  return session;
}

function speak(session) {
  for (const chunk of question()) {
    session.sendAudio(chunk.buffer.slice(chunk.byteOffset, chunk.byteOffset + chunk.length));
  }
}

async function text(session, heard) {
  session.sendMessage(job.sum);
  await heard.until(() => heard.ended.length === 1);
  const [[id, told]] = heard.told;
  return { status: heard.ended[0].status, told, audio_bytes: heard.audio.get(id) };
}

async function speech(session, heard) {
  speak(session);
  await heard.until(() => heard.ended.length === 1 && heard.transcripts.length === 1);
  const [[id, told]] = heard.told;
  return { status: heard.ended[0].status, heard: heard.transcripts[0], told, audio_bytes: heard.audio.get(id) };
}

async function functionCall(session, heard) {
  session.sendMessage(job.weather);
  await heard.until(() => heard.calls.length === 1);
  const before = new Set(heard.told.keys());
  await heard.until(() => heard.ended.length === 2);
  const told = [...heard.told].filter(([id]) => !before.has(id)).map(([, words]) => words);
  return { name: heard.calls[0].name, arguments: heard.calls[0].arguments, told: told.join(" ") };
}

async function bargeIn(session, heard) {
  session.sendMessage(job.long);
  await heard.until(() => heard.heardBytes >= 2 * 24_000 * 2);
  const [item_id] = heard.audio.keys();
  await sleep(900); // the SDK takes it that the listener hears in real time: it is to have heard the first words
  speak(session);
  await heard.until(() => heard.seen.includes("audio_interrupted") && heard.truncated.length === 1);
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
process.exit(0);
