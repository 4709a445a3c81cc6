/**
 * How the page gets in: by a client secret, which it fetches from its own server.
 *
 * Where the server has keys, the visitor types one in.  It goes into requests to this server and nowhere else, and is
 * kept in this tab's session storage, which ends with the tab; sockets are opened with the secret, which expires.
 */

import type { Settings } from "./settings";

export type Refusal = "key" | "unreachable" | "busy" | "refused";

/** The server did not let the page in; the message is the server's, or empty. */
export class NoAccess extends Error {
  constructor(
    readonly refusal: Refusal,
    message = "",
  ) {
    super(message);
  }
}

const KEY_NAME = "vivavoce.key";
const TIMEOUT_MS = 10_000;

export function storedKey(): string {
  try {
    return sessionStorage.getItem(KEY_NAME) ?? "";
  } catch {
    return memory;
  }
}

let memory = "";

export function storeKey(key: string): void {
  memory = key;
  try {
    if (key === "") sessionStorage.removeItem(KEY_NAME);
    else sessionStorage.setItem(KEY_NAME, key);
  } catch {
    // A browser that keeps nothing has the key until the page is left.
  }
}

/** Ask the page's own server for something, and return its answer where that is a good one. */
export async function request(path: string, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
  const key = storedKey();
  const headers = new Headers(init.headers);
  if (key !== "") headers.set("Authorization", `Bearer ${key}`);
  let response: Response;
  try {
    response = await fetch(new URL(path, document.baseURI), { ...init, headers, cache: "no-store" });
  } catch {
    throw new NoAccess("unreachable");
  }
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => ({}));
  const message = (body as { error?: { message?: string } }).error?.message ?? "";
  if (response.status === 401) throw new NoAccess("key", key === "" ? "" : message);
  if (response.status === 502 || response.status === 504) throw new NoAccess("unreachable", message);
  throw new NoAccess(response.status === 503 || response.status === 429 ? "busy" : "refused", message);
}

async function ask(path: string, init: RequestInit): Promise<Record<string, unknown>> {
  const headers = { "Content-Type": "application/json" };
  const response = await request(path, { ...init, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  return response.json().catch(() => ({})) as Promise<Record<string, unknown>>;
}

/** Return a new client secret for sessions of the wanted shape. */
export async function clientSecret(settings: Settings): Promise<string> {
  if (settings.shape === "beta") {
    const body = JSON.stringify({ model: settings.model });
    const answer = await ask("v1/realtime/sessions", { method: "POST", body });
    return (answer as { client_secret: { value: string } }).client_secret.value;
  }
  const body = JSON.stringify({ session: { type: "realtime", model: settings.model } });
  const answer = await ask("v1/realtime/client_secrets", { method: "POST", body });
  return (answer as { value: string }).value;
}

/** Return a new client secret for transcription sessions that begin with these settings. */
export async function transcriptionSecret(session: object): Promise<string> {
  const body = JSON.stringify({ session });
  const answer = await ask("v1/realtime/client_secrets", { method: "POST", body });
  return (answer as { value: string }).value;
}

/** Return the names of the models that the server lists. */
export async function models(): Promise<string[]> {
  const answer = await ask("v1/models", { method: "GET" });
  return (answer as { data: { id: string }[] }).data.map((model) => model.id);
}

/** Return how long a request takes there and back, in milliseconds; null where none comes back. */
export async function roundTrip(): Promise<number | null> {
  const begin = performance.now();
  try {
    const response = await fetch(new URL("healthz", document.baseURI), {
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return response.ok ? performance.now() - begin : null;
  } catch {
    return null;
  }
}

/** Open the socket of a session. */
export function openSocket(settings: Settings, secret: string, resume: string): WebSocket {
  return socketTo({ model: settings.model, resume }, secret, settings.shape === "beta" ? ["openai-beta.realtime-v1"] : []);
}

/** Open the socket of a session that writes down what it hears, and does not answer. */
export function openTranscription(secret: string): WebSocket {
  return socketTo({ intent: "transcription" }, secret, []);
}

function socketTo(query: Record<string, string>, secret: string, shape: readonly string[]): WebSocket {
  const url = new URL("v1/realtime", document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = new URLSearchParams(query).toString();
  return new WebSocket(url, ["realtime", `openai-insecure-api-key.${secret}`, ...shape]);
}
