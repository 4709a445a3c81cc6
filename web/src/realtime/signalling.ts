/** What is asked of the server to make a call by WebRTC: servers on the way, answers to offers. */

import { NoAccess } from "./access";

/** The road by WebRTC does not lead there; the message is the server's, or empty. */
export class NoRoad extends Error {}

/** What an offer was answered with. */
export interface Answered {
  answer: string;
  /** The path of the call. */
  call: string;
}

const TIMEOUT_MS = 10_000;
const NO_SUCH_ROAD = [404, 405, 415, 501];

/** Return the servers that help through firewalls, with passwords of limited time; none where there are none. */
export async function iceServers(secret: string): Promise<RTCIceServer[]> {
  const response = await send("v1/realtime/ice", secret, { method: "GET" });
  const { iceServers: servers } = (await response.json()) as { iceServers?: RTCIceServer[] };
  return servers ?? [];
}

/** Offer a call, and return what it was answered with. */
export async function offer(secret: string, shape: "ga" | "beta", query: Record<string, string>, sdp: string): Promise<Answered> {
  const path = `v1/realtime${shape === "beta" ? "" : "/calls"}?${new URLSearchParams(query).toString()}`;
  const response = await send(path, secret, { method: "POST", body: sdp });
  return { answer: await response.text(), call: response.headers.get("Location") ?? "" };
}

/** Offer other addresses for a call that goes on, and return the answer. */
export async function renew(secret: string, call: string, sdp: string): Promise<string> {
  const id = call.split("/").at(-1)!;
  const response = await send(`v1/realtime/calls/${id}/offer`, secret, { method: "POST", body: sdp });
  return response.text();
}

async function send(path: string, secret: string, init: RequestInit): Promise<Response> {
  const headers = { Authorization: `Bearer ${secret}`, ...(init.body ? { "Content-Type": "application/sdp" } : {}) };
  let response: Response;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    response = await fetch(new URL(path, document.baseURI), { ...init, headers, cache: "no-store", signal });
  } catch {
    throw new NoAccess("unreachable");
  }
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => ({}));
  const message = (body as { error?: { message?: string } }).error?.message ?? "";
  if (NO_SUCH_ROAD.includes(response.status)) throw new NoRoad(message);
  throw new NoAccess(response.status === 503 || response.status === 429 ? "busy" : "refused", message);
}
