// Client secrets, created by openai-node with a key and used without one: by its own sockets, by Node's WebSocket as a
// page would use it, and by @openai/agents.
import { RealtimeAgent, RealtimeSession } from "@openai/agents/realtime";
import OpenAI from "openai";
import { OpenAIRealtimeWebSocket as BetaNative } from "openai/beta/realtime/websocket";
import { OpenAIRealtimeWebSocket as Native } from "openai/realtime/websocket";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { hold, job } from "./common.mjs";

const INSTRUCTIONS = job.instructions;
const server = new OpenAI({ baseURL: job.http_url, apiKey: job.key });
const settings = {
  type: "realtime",
  model: "gpt-realtime",
  instructions: INSTRUCTIONS,
  audio: { output: { voice: "cedar" } },
};

/** What each way yields: the secret's reply, and the first event of a session opened with it. */
const outcome = (created, value, began, told) => ({ created, value, session: began.session, told });

function attach(talk, heard, onClose) {
  onClose(() => talk.close());
  const first = new Promise((resolve, reject) => {
    talk.on("event", (event) => {
      heard.take(event);
      resolve(event);
    });
    talk.on("error", (error) => {
      heard.fail(error);
      reject(error);
    });
  });
  return first;
}

async function ask(send, heard) {
  const content = [{ type: "input_text", text: job.sum }];
  send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
  send({ type: "response.create" });
  await heard.until(() => heard.ended.length === 1);
  return [...heard.told.values()].join(" ");
}

async function ws(heard, onClose) {
  const created = await server.realtime.clientSecrets.create({ session: settings });
  const client = new OpenAI({ baseURL: job.http_url, apiKey: created.value });
  const talk = new OpenAIRealtimeWS({ model: "gpt-realtime" }, client);
  const began = await attach(talk, heard, onClose);
  return outcome(created.session, created.value, began, await ask((event) => talk.send(event), heard));
}

async function native(heard, onClose) {
  const created = await server.realtime.clientSecrets.create({ session: settings });
  const client = new OpenAI({ baseURL: job.http_url, apiKey: created.value });
  const talk = new Native({ model: "gpt-realtime" }, client);
  const began = await attach(talk, heard, onClose);
  return outcome(created.session, created.value, began, await ask((event) => talk.send(event), heard));
}

async function betaNative(heard, onClose) {
  const model = "gpt-4o-realtime-preview";
  const created = await server.beta.realtime.sessions.create({ model, instructions: INSTRUCTIONS, voice: "sage" });
  const client = new OpenAI({ baseURL: job.http_url, apiKey: created.client_secret.value });
  const talk = new BetaNative({ model }, client);
  const began = await attach(talk, heard, onClose);
  const told = await ask((event) => talk.send(event), heard);
  return outcome(created, created.client_secret.value, began, told);
}

/** A page's socket: there is no place for a key but a subprotocol. */
function page(key, heard, onClose) {
  const socket = new WebSocket(`${job.ws_url}/realtime`, ["realtime", `openai-insecure-api-key.${key}`]);
  onClose(() => socket.close());
  return new Promise((resolve, reject) => {
    socket.addEventListener("message", (message) => {
      const event = JSON.parse(message.data);
      heard.take(event);
      resolve({ socket, began: event });
    });
    socket.addEventListener("error", () => reject(new Error("the socket was refused")));
  });
}

async function raw(heard, onClose) {
  const created = await server.realtime.clientSecrets.create({ session: settings });
  const { socket, began } = await page(created.value, heard, onClose);
  if (socket.protocol !== "realtime") throw new Error(`the subprotocol is ${socket.protocol}`);
  const told = await ask((event) => socket.send(JSON.stringify(event)), heard);
  return outcome(created.session, created.value, began, told);
}

async function transcription(heard, onClose) {
  const session = { type: "transcription", audio: { input: { transcription: { model: "whisper-1" } } } };
  const created = await server.realtime.clientSecrets.create({ session });
  const { began } = await page(created.value, heard, onClose);
  return outcome(created.session, created.value, began, "");
}

async function agents(heard, onClose) {
  const created = await server.realtime.clientSecrets.create({ session: settings });
  const agent = new RealtimeAgent({ name: "Helper", instructions: INSTRUCTIONS });
  const talk = new RealtimeSession(agent, { transport: "websocket", model: "gpt-realtime" });
  onClose(() => talk.close());
  const first = new Promise((resolve) => {
    talk.on("transport_event", (event) => {
      heard.take(event);
      if (event.type === "session.created") resolve(event);
    });
  });
  talk.on("error", (error) => heard.fail(new Error(`the SDK reports an error: ${JSON.stringify(error)}`)));
  await talk.connect({ apiKey: created.value, url: `${job.ws_url}/realtime?model=gpt-realtime` });
  await heard.until(() => heard.seen.includes("session.updated"));
  talk.sendMessage(job.sum);
  await heard.until(() => heard.ended.length === 1);
  return outcome(created.session, created.value, await first, [...heard.told.values()].join(" "));
}

/** Keys and made-up secrets in a page's subprotocol. */
async function strangers(heard, onClose) {
  const told = {};
  for (const [name, key] of Object.entries({ key: job.key, invented: `ek_${"A".repeat(48)}` })) {
    try {
      await page(key, heard, onClose);
      told[name] = "let in";
    } catch (error) {
      told[name] = error.message;
    }
  }
  return told;
}

const ways = { ws, native, beta_native: betaNative, raw, transcription, agents, strangers };
const held = Object.fromEntries(
  Object.entries(ways).map(([name, way]) => [name, ([heard, onClose]) => way(heard, onClose)]),
);
await hold(held, async (heard, onClose) => [heard, onClose]);
process.exit(0);
