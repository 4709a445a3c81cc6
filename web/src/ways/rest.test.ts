import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { NoAccess, storeKey } from "../realtime/access";
import { chat, speech, transcribe } from "./rest";

const { signal } = new AbortController();
const asked: { path: string; init: RequestInit }[] = [];

/** Have the next requests answered with a body in pieces, or an error's. */
function answers(pieces: (string | number[])[] | Error, status = 200): void {
  const encoder = new TextEncoder();
  vi.stubGlobal("fetch", (url: URL, init: RequestInit) => {
    asked.push({ path: url.pathname, init });
    if (pieces instanceof Error) return Promise.reject(pieces);
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of pieces) controller.enqueue(typeof piece === "string" ? encoder.encode(piece) : Uint8Array.from(piece));
        controller.close();
      },
    });
    return Promise.resolve(new Response(body, { status }));
  });
}

async function all<Value>(values: AsyncGenerator<Value>): Promise<Value[]> {
  const found: Value[] = [];
  for await (const value of values) found.push(value);
  return found;
}

const delta = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
const END = 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';

beforeEach(() => {
  asked.length = 0;
  vi.stubGlobal("document", { baseURI: "http://server.test/page/" });
});
afterEach(() => {
  storeKey("");
  vi.unstubAllGlobals();
});

test("an answer is told piece by piece, also where a letter was cut in two", async () => {
  const bytes = [...new TextEncoder().encode(delta("é") + END)];
  const cut = bytes.indexOf(0xc3) + 1;
  answers([delta("That "), bytes.slice(0, cut), bytes.slice(cut)]);
  expect(await all(chat("m", [{ role: "user", content: "hello" }], signal))).toEqual(["That ", "é"]);
  expect(asked[0]!.path).toBe("/page/v1/chat/completions");
  expect(JSON.parse(asked[0]!.init.body as string)).toEqual({ model: "m", messages: [{ role: "user", content: "hello" }], stream: true });
});

test("an answer that breaks off, and one that tells of an error, are failures", async () => {
  answers([delta("That ")]);
  await expect(all(chat("m", [], signal))).rejects.toMatchObject({ refusal: "unreachable" });
  answers([delta("That "), 'data: {"error":{"message":"The model went away."}}\n\n']);
  await expect(all(chat("m", [], signal))).rejects.toMatchObject({ refusal: "refused", message: "The model went away." });
});

test("sound is whole samples, wherever it was cut", async () => {
  answers([[1], [0, 2], [0, 3, 0, 255], [255]]);
  const pieces = await all(speech({ model: "m", voice: "alloy", speed: 1.5, text: "Hello." }, signal));
  expect(pieces.flatMap((piece) => [...piece])).toEqual([1, 2, 3, -1]);
  expect(JSON.parse(asked[0]!.init.body as string)).toEqual({
    model: "m",
    voice: "alloy",
    speed: 1.5,
    input: "Hello.",
    response_format: "pcm",
  });
});

test("a recording is sent as a form that asks for the times of words", async () => {
  answers(['{"text":"hello"}']);
  const wanted = { model: "whisper-1", language: "e" };
  expect(await transcribe(new Blob(["sound"]), "a.wav", wanted, signal)).toEqual({ text: "hello" });
  const form = asked[0]!.init.body as FormData;
  // A language of one letter is still being typed.
  expect([...form.keys()]).toEqual(["model", "response_format", "timestamp_granularities[]", "timestamp_granularities[]", "file"]);
  expect((form.get("file") as File).name).toBe("a.wav");
});

test("the visitor's key goes into a header, and what is wrong is named", async () => {
  storeKey("sk-typed");
  const wanted = { model: "m", language: "en" };
  const ask = () => transcribe(new Blob([]), "a.wav", wanted, signal);
  const refusals: [number, string][] = [
    [401, "key"],
    [400, "refused"],
    [413, "refused"],
    [429, "busy"],
    [503, "busy"],
    [502, "unreachable"],
  ];
  for (const [status, refusal] of refusals) {
    answers(['{"error":{"message":"No."}}'], status);
    await expect(ask()).rejects.toMatchObject({ refusal, message: "No." });
    expect(new Headers(asked.at(-1)!.init.headers).get("Authorization")).toBe("Bearer sk-typed");
  }
  answers(new TypeError("no line"));
  await expect(ask()).rejects.toBeInstanceOf(NoAccess);
});
