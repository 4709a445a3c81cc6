/** The REST endpoints that the page works with, on its own server. */

import { NoAccess, request } from "../realtime/access";
import { list, record, text } from "../realtime/wire";
import type { Message } from "./classic";
import { ServerSentEvents } from "./sse";

const JSON_TYPE = { "Content-Type": "application/json" };

/** Return the transcript of a recording as the server tells it: its text, segments, and words with times. */
export async function transcribe(
  recording: Blob,
  name: string,
  wanted: { model: string; language: string },
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const form = new FormData();
  form.set("model", wanted.model);
  // A name that is still being typed is none.
  if (wanted.language.length === 2) form.set("language", wanted.language);
  form.set("response_format", "verbose_json");
  for (const kind of ["word", "segment"]) form.append("timestamp_granularities[]", kind);
  form.set("file", recording, name);
  const response = await request("v1/audio/transcriptions", { method: "POST", body: form, signal });
  return record(await arrived(response.json()));
}

/** Yield the text of an answer as it is written. */
export async function* chat(model: string, messages: readonly Message[], signal: AbortSignal): AsyncGenerator<string, void> {
  const body = JSON.stringify({ model, messages, stream: true });
  const response = await request("v1/chat/completions", { method: "POST", headers: JSON_TYPE, body, signal });
  const events = new ServerSentEvents();
  const decoder = new TextDecoder();
  let isOver = false;
  for await (const bytes of chunksOf(response)) {
    for (const data of events.push(decoder.decode(bytes, { stream: true }))) {
      if (data === "[DONE]") {
        isOver = true;
        continue;
      }
      const chunk = parsed(data);
      if (chunk.error !== undefined) throw new NoAccess("refused", text(record(chunk.error).message));
      const choice = record(list(chunk.choices)[0]);
      if (text(choice.finish_reason) !== "") isOver = true;
      const delta = text(record(choice.delta).content);
      if (delta !== "") yield delta;
    }
  }
  if (!isOver) throw new NoAccess("unreachable");
}

/** Yield a text as sound, while it is being made. */
export async function* speech(
  wanted: { model: string; voice: string; speed: number; text: string },
  signal: AbortSignal,
): AsyncGenerator<Int16Array<ArrayBuffer>, void> {
  const { text: input, ...rest } = wanted;
  const body = JSON.stringify({ ...rest, input, response_format: "pcm" });
  const response = await request("v1/audio/speech", { method: "POST", headers: JSON_TYPE, body, signal });
  // Half a sample, where a piece ends in its middle.
  let left = new Uint8Array(0);
  for await (const bytes of chunksOf(response)) {
    const all = new Uint8Array(left.length + bytes.length);
    all.set(left);
    all.set(bytes, left.length);
    const whole = all.slice(0, all.length & ~1);
    left = all.slice(whole.length);
    if (whole.length > 0) yield new Int16Array(whole.buffer);
  }
}

/** Yield the body of a response as it arrives; a line that breaks is told like a server that does not answer. */
async function* chunksOf(response: Response): AsyncGenerator<Uint8Array, void> {
  const reader = response.body!.getReader();
  try {
    for (;;) {
      const { done, value } = await arrived(reader.read());
      if (done) return;
      yield value;
    }
  } finally {
    // Whoever stops reading needs no more; that the line is broken already is no matter.
    reader.cancel().catch(() => {});
  }
}

async function arrived<Value>(coming: Promise<Value>): Promise<Value> {
  try {
    return await coming;
  } catch {
    throw new NoAccess("unreachable");
  }
}

function parsed(data: string): Record<string, unknown> {
  try {
    return record(JSON.parse(data));
  } catch {
    throw new NoAccess("refused", data.slice(0, 200));
  }
}
