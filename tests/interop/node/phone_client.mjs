// openai-node is told of telephone calls by webhooks: it accepts one as @openai/agents wants it, attends to it by the
// SIP transport of the latter, hangs up, and rejects another.  What came of each is one line of JSON on standard output.
import { createServer } from "node:http";
import { OpenAIRealtimeSIP, RealtimeAgent, RealtimeSession } from "@openai/agents/realtime";
import OpenAI from "openai";

const job = JSON.parse(process.argv[2]);
const client = new OpenAI({ baseURL: job.http_url, apiKey: job.key, webhookSecret: job.secret });
const tell = (news) => console.log(JSON.stringify(news));
const waiting = [];
let wake = () => {};

async function next() {
  while (!waiting.length) await new Promise((resolve) => (wake = resolve));
  return waiting.shift();
}

async function accept(callId) {
  const agent = new RealtimeAgent({ name: "Helper", instructions: "Answer briefly." });
  const options = { model: "gpt-realtime", config: { audio: { output: { voice: "cedar" } } } };
  const session = await OpenAIRealtimeSIP.buildInitialConfig(agent, options);
  await client.realtime.calls.accept(callId, session);
  const transport = new OpenAIRealtimeSIP();
  const talk = new RealtimeSession(agent, { transport, ...options });
  const types = [];
  const seen = { first: null, sum: "" };
  const errors = [];
  let look = () => {};
  transport.on("*", (event) => {
    seen.first ??= event;
    types.push(event.type);
    if (event.type === "response.output_audio_transcript.done") seen.sum += event.transcript;
    look();
  });
  talk.on("error", (error) => errors.push(error));
  const until = async (wanted) => {
    const deadline = Date.now() + 20_000;
    while (!wanted()) {
      if (Date.now() > deadline) throw new Error(`nothing more came; there were ${types}, ${JSON.stringify(errors)}`);
      await new Promise((resolve) => {
        look = resolve;
        setTimeout(resolve, 500);
      });
    }
  };
  await talk.connect({ apiKey: job.key, callId, url: `${job.ws_url}/realtime?call_id=${callId}` });
  await until(() => types.includes("session.updated"));
  talk.sendMessage("What is twelve plus thirty?");
  await until(() => types.includes("output_audio_buffer.stopped"));
  const refused = {};
  const requests = {
    again: () => client.realtime.calls.accept(callId, { type: "realtime" }),
    abroad: () => client.realtime.calls.refer(callId, { target_uri: "tel:+15550100" }),
    refer: () => client.realtime.calls.refer(callId, { target_uri: "tel:+39061234567" }),
  };
  for (const [name, request] of Object.entries(requests)) {
    try {
      await request();
    } catch (error) {
      refused[name] = [error.status, error.code, error.param];
    }
  }
  await client.realtime.calls.hangup(callId);
  const { instructions, model } = seen.first.session;
  return { first: seen.first.type, instructions, model, types, sum: seen.sum, refused, errors };
}

const server = createServer(async (request, response) => {
  let body = "";
  for await (const piece of request) body += piece;
  const forged = await client.webhooks.unwrap(`${body} `, request.headers).then(
    () => "accepted",
    () => "refused",
  );
  waiting.push([await client.webhooks.unwrap(body, request.headers), forged]);
  response.end();
  wake();
});
server.listen(job.port, "127.0.0.1", () => tell({ ready: true }));
const [event, forged] = await next();
const headers = Object.fromEntries(event.data.sip_headers.map(({ name, value }) => [name, value]));
tell({ type: event.type, forged, headers, ...(await accept(event.data.call_id)) });
const [second] = await next();
await client.realtime.calls.reject(second.data.call_id, { status_code: 486 });
tell({ rejected: true });
process.exit(0);
