// The REST endpoints, used by openai-node as its documentation shows, and by plain `fetch`.
import { createReadStream, readFileSync, statSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { inspect } from "node:util";
import OpenAI, { toFile } from "openai";

const job = JSON.parse(process.argv[2]);
const client = new OpenAI({ baseURL: job.http_url, apiKey: job.key, maxRetries: 0 });

/** Each format as a whole and as a stream. */
async function speech() {
  const results = {};
  for (const kind of job.formats) {
    const path = `${job.folder}/node.${kind}`;
    const spoken = { model: "gpt-4o-mini-tts", voice: "ash", input: job.sentence, response_format: kind };
    const whole = Buffer.from(await (await client.audio.speech.create(spoken)).arrayBuffer());
    await writeFile(path, whole);
    const response = await client.audio.speech.create(spoken).asResponse();
    let streamed = 0;
    for await (const piece of response.body) streamed += piece.length;
    results[kind] = {
      path,
      content_type: response.headers.get("content-type"),
      sizes: [whole.length, streamed, statSync(path).size],
    };
  }
  return results;
}

/** What the server hears in each of the files that it spoke. */
async function hearing() {
  const heard = {};
  for (const kind of job.formats.filter((kind) => kind !== "pcm")) {
    const file = createReadStream(`${job.folder}/node.${kind}`);
    heard[kind] = (await client.audio.transcriptions.create({ model: "gpt-4o-transcribe", file })).text;
  }
  return heard;
}

/** One recording in every format. */
async function transcriptions() {
  const results = {};
  const recording = () => createReadStream(job.question);
  for (const kind of ["json", "text", "srt", "vtt", "verbose_json"]) {
    const options = kind === "verbose_json" ? { timestamp_granularities: ["word", "segment"] } : {};
    const told = await client.audio.transcriptions.create({
      model: "whisper-1",
      file: recording(),
      response_format: kind,
      language: "en",
      prompt: "arithmetic",
      temperature: 0.2,
      ...options,
    });
    results[kind] = told;
    results[`${kind}_type`] = typeof told;
  }
  const common = { model: "gpt-4o-transcribe" };
  const options = { include: ["logprobs"], chunking_strategy: "auto" };
  results.logprobs = await client.audio.transcriptions.create({ ...common, file: recording(), ...options });
  const chosen = { type: "server_vad", silence_duration_ms: 300, threshold: 0.5, prefix_padding_ms: 200 };
  const cut = await client.audio.transcriptions.create({ ...common, file: recording(), chunking_strategy: chosen });
  results.strategy = cut.text;
  results.translation = (await client.audio.translations.create({ model: "whisper-1", file: recording() })).text;
  return results;
}

/** A recording of several sentences, told as it is understood. */
async function transcription_stream() {
  const stream = await client.audio.transcriptions.create({
    model: "gpt-4o-transcribe",
    file: createReadStream(job.long),
    stream: true,
    include: ["logprobs"],
  });
  const events = [];
  for await (const event of stream) events.push(event);
  const done = events.at(-1);
  return {
    types: events.map((event) => event.type),
    deltas: events.map((event) => event.delta ?? "").join(""),
    text: done.text,
    logprobs: done.logprobs.length,
    usage: done.usage,
  };
}

/** A question, a stream of chunks, and a function called and answered. */
async function completions() {
  const model = "vivavoce";
  const messages = [{ role: "user", content: job.sum }];
  const plain = await client.chat.completions.create({ model, messages });
  const chunks = [];
  const options = { stream: true, stream_options: { include_usage: true } };
  for await (const chunk of await client.chat.completions.create({ model, messages, ...options })) chunks.push(chunk);
  const weather = [{ role: "user", content: job.weather }];
  const tools = [job.tool];
  const asked = await client.chat.completions.create({ model, messages: weather, tools });
  const call = asked.choices[0].message.tool_calls[0];
  const result = { role: "tool", tool_call_id: call.id, content: job.tool_result };
  const all = [...weather, asked.choices[0].message, result];
  const told = await client.chat.completions.create({ model, messages: all, tools });
  const kinds = new Set();
  const runner = client.chat.completions.stream({ model, messages: weather, tools });
  for await (const chunk of runner) kinds.add(chunk.object);
  const final = await runner.finalChatCompletion();
  return {
    plain: plain.choices[0].message.content,
    usage: plain.usage,
    streamed: chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""),
    streamed_usage: chunks.at(-1).usage,
    finish_reasons: [asked.choices[0].finish_reason, told.choices[0].finish_reason],
    call: [call.function.name, JSON.parse(call.function.arguments)],
    told: told.choices[0].message.content,
    stream_kinds: [...kinds],
    stream_call: JSON.parse(final.choices[0].message.tool_calls[0].function.arguments),
  };
}

/** Requests that are refused, and as what the SDK throws that. */
async function mistakes() {
  const messages = [{ role: "user", content: "Hello" }];
  const question = () => createReadStream(job.question);
  const stranger = client.withOptions({ apiKey: "sk-stranger" });
  const attempts = {
    voice: () => client.audio.speech.create({ model: "tts-1", voice: "nobody", input: "Hello" }),
    speed: () => client.audio.speech.create({ model: "tts-1", voice: "ash", input: "Hello", speed: 9 }),
    language: () => client.audio.transcriptions.create({ model: "whisper-1", file: question(), language: "de" }),
    file: async () => {
      const file = await toFile(Buffer.from("nothing"), "a.mp3");
      return client.audio.transcriptions.create({ model: "whisper-1", file });
    },
    format: () => {
      const form = { model: "gpt-4o-transcribe-diarize", file: question(), response_format: "diarized_json" };
      return client.audio.transcriptions.create(form);
    },
    large: async () => {
      const file = await toFile(Buffer.alloc(27 << 20), "a.wav");
      return client.audio.transcriptions.create({ model: "whisper-1", file });
    },
    n: () => client.chat.completions.create({ model: "vivavoce", messages, n: 2 }),
    messages: () => client.chat.completions.create({ model: "vivavoce", messages: [] }),
    key: () => stranger.audio.speech.create({ model: "tts-1", voice: "ash", input: "Hello" }),
    path: () => client.post("/audio/nothing"),
  };
  const refused = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      await attempt();
    } catch (error) {
      refused[name] = [error.constructor.name, error.status, error.code ?? null, error.param ?? null];
    }
  }
  return refused;
}

/** The same without any SDK. */
async function asynchronous() {
  const headers = { Authorization: `Bearer ${job.key}` };
  const json = { ...headers, "Content-Type": "application/json" };
  const post = (path, body) =>
    fetch(`${job.http_url}${path}`, { method: "POST", headers: json, body: JSON.stringify(body) });
  const began = performance.now();
  const order = { model: "tts-1", voice: "nova", input: job.chapter, response_format: "pcm" };
  const times = [];
  let sound = 0;
  for await (const piece of (await post("/audio/speech", order)).body) {
    sound += piece.length;
    times.push((performance.now() - began) / 1000);
  }
  const body = { model: "vivavoce", messages: [{ role: "user", content: job.sum }], stream: true };
  const lines = (await (await post("/chat/completions", body)).text()).split("\n");
  const data = lines.filter((line) => line.startsWith("data: {")).map((line) => JSON.parse(line.slice(6)));
  const form = new FormData();
  form.append("file", new Blob([readFileSync(job.question)]), "question.wav");
  form.append("model", "gpt-4o-transcribe");
  form.append("stream", "true");
  const heard = await fetch(`${job.http_url}/audio/transcriptions`, { method: "POST", headers, body: form });
  const events = (await heard.text()).split("\n").filter((line) => line.startsWith("data: {"));
  return {
    sound,
    first_s: times[0],
    all_s: times.at(-1),
    written: data.map((chunk) => chunk.choices[0].delta.content ?? "").join(""),
    heard: events.map((line) => JSON.parse(line.slice(6)).type),
  };
}

const results = {};
for (const part of [speech, hearing, transcriptions, transcription_stream, completions, mistakes, asynchronous]) {
  try {
    results[part.name] = await part();
  } catch (error) {
    results[part.name] = { failure: inspect(error) };
  }
}
writeFileSync(job.results, JSON.stringify(results));
