// What the Node programs share: the job, the question's audio, waiting, and running the conversations.
import { readFileSync, writeFileSync } from "node:fs";
import { inspect } from "node:util";

export const job = JSON.parse(process.argv[2]);

const CHUNK_BYTES = (24_000 * 2) / 25; // 40 ms, as a microphone would give them
const WAV_HEADER_BYTES = 44;

/** The spoken question and a second of silence, in chunks of s16le at 24 kHz. */
export function* question() {
  const pcm = Buffer.concat([readFileSync(job.question).subarray(WAV_HEADER_BYTES), Buffer.alloc(24_000 * 2)]);
  for (let start = 0; start < pcm.length; start += CHUNK_BYTES) yield pcm.subarray(start, start + CHUNK_BYTES);
}

/** What the server has said on one connection, and a way to wait for more. */
export class Heard {
  audio = new Map();
  told = new Map();
  kept = new Map();
  transcripts = [];
  calls = [];
  truncated = [];
  ended = [];
  seen = [];
  #failure = null;
  #wake = () => {};

  fail(error) {
    this.#failure ??= error;
    this.#wake();
  }

  take(event) {
    this.seen.push(event.type);
    switch (event.type) {
      case "error":
        return this.fail(new Error(`the server answered an error: ${JSON.stringify(event.error)}`));
      case "response.output_audio.delta":
      case "response.audio.delta":
        this.audio.set(event.item_id, (this.audio.get(event.item_id) ?? 0) + Buffer.from(event.delta, "base64").length);
        break;
      case "response.output_audio_transcript.done":
      case "response.audio_transcript.done":
        this.told.set(event.item_id, event.transcript);
        break;
      case "conversation.item.input_audio_transcription.completed":
        this.transcripts.push(event.transcript);
        break;
      case "conversation.item.truncated":
        this.truncated.push(event);
        break;
      case "conversation.item.retrieved":
        if (event.item.role === "assistant") this.kept.set(event.item.id, event.item.content[0].transcript);
        break;
      case "response.function_call_arguments.done":
        this.calls.push(event);
        break;
      case "response.done":
        this.ended.push(event.response);
        break;
    }
    this.#wake();
  }

  get heardBytes() {
    return Math.max(0, ...this.audio.values());
  }

  async until(wanted) {
    const deadline = Date.now() + job.patience * 1000;
    while (!wanted()) {
      if (this.#failure) throw this.#failure;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`nothing more came for ${wanted}; there were ${this.seen.slice(-20)}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    if (this.#failure) throw this.#failure;
  }
}

/** Holds each conversation on a connection of its own and writes down what came of them. */
export async function hold(conversations, connect) {
  const results = {};
  for (const [name, conversation] of Object.entries(conversations)) {
    const heard = new Heard();
    let close = () => {};
    try {
      const talk = await connect(heard, (closer) => (close = closer));
      results[name] = await conversation(talk, heard);
    } catch (error) {
      results[name] = { failure: inspect(error, { depth: 6 }) };
    } finally {
      close();
    }
  }
  writeFileSync(job.results, JSON.stringify(results));
}
