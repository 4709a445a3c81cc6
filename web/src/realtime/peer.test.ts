import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NoAccess } from "./access";
import { PeerRoad } from "./peer";
import type { Ending } from "./road";
import { NoRoad } from "./signalling";

/** A peer connection that does what it is told, and says when it is told. */
class Connection {
  static latest: Connection;
  connectionState = "new";
  iceConnectionState = "new";
  localDescription: { sdp: string } | null = null;
  remote: { sdp: string }[] = [];
  restarts = 0;
  channel = {
    readyState: "connecting",
    bufferedAmount: 7,
    sent: [] as string[],
    onopen: () => {},
    onclose: null as (() => void) | null,
    onmessage: null as ((message: { data: string }) => void) | null,
    send(frame: string) {
      this.sent.push(frame);
    },
  };
  track: unknown = null;
  onconnectionstatechange = () => {};
  oniceconnectionstatechange = () => {};

  constructor(readonly configuration: { iceServers: unknown[] }) {
    Connection.latest = this;
  }
  addTransceiver(kind: string, { direction }: { direction: string }) {
    expect([kind, direction]).toEqual(["audio", "sendrecv"]);
    return { sender: { replaceTrack: async (track: unknown) => void (this.track = track) } };
  }
  createDataChannel(label: string) {
    expect(label).toBe("oai-events");
    return this.channel;
  }
  async setLocalDescription() {
    this.localDescription = { sdp: `offer ${this.restarts}` };
  }
  async setRemoteDescription(answer: { sdp: string }) {
    this.remote.push(answer);
  }
  restartIce() {
    this.restarts += 1;
  }
  close() {
    this.connectionState = "closed";
  }
  become(ice: string, state = ice) {
    this.iceConnectionState = ice;
    this.connectionState = state;
    this.oniceconnectionstatechange();
    this.onconnectionstatechange();
  }
  open() {
    this.become("connected");
    this.channel.readyState = "open";
    this.channel.onopen();
  }
}

let requests: [string, string][];
let answers: Record<string, Response>;
let told: { frames: string[]; endings: Ending[]; connected: number; refused: unknown[] };

beforeEach(() => {
  vi.useFakeTimers();
  requests = [];
  told = { frames: [], endings: [], connected: 0, refused: [] };
  answers = {
    ice: Response.json({ iceServers: [{ urls: "turn:relay" }] }),
    calls: new Response("answer", { status: 201, headers: { Location: "/v1/realtime/calls/rtc_1" } }),
    offer: new Response("another answer"),
  };
  vi.stubGlobal("document", { baseURI: "http://server/" });
  vi.stubGlobal("window", { RTCPeerConnection: Connection });
  vi.stubGlobal("RTCPeerConnection", Connection);
  vi.stubGlobal("fetch", async (url: URL, init: { body?: string; headers: Record<string, string> }) => {
    expect(init.headers.Authorization).toBe("Bearer ek_1");
    requests.push([url.pathname + url.search, init.body ?? ""]);
    return answers[url.pathname.split("/").at(-1)!]!.clone();
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function open(shape: "ga" | "beta" = "ga") {
  const road = await PeerRoad.open(
    { secret: "ek_1", shape, query: { model: "m" } },
    {
      receive: (frame) => told.frames.push(frame),
      closed: (ending) => told.endings.push(ending),
      heard: () => {},
      connected: () => (told.connected += 1),
      refused: (error) => told.refused.push(error),
    },
  );
  await vi.advanceTimersByTimeAsync(0);
  return { road, connection: Connection.latest };
}

describe("the road by WebRTC", () => {
  it("offers a call by the operator's servers, and carries frames once the channel is open", async () => {
    const { road, connection } = await open();
    expect(connection.configuration).toEqual({ iceServers: [{ urls: "turn:relay" }] });
    expect(requests).toEqual([["/v1/realtime/ice", ""], ["/v1/realtime/calls?model=m", "offer 0"]]);
    expect(connection.remote).toEqual([{ type: "answer", sdp: "answer" }]);
    expect(road.send("early")).toBe(false);
    connection.open();
    connection.channel.onmessage!({ data: "frame" });
    expect([road.send("late"), connection.channel.sent, told.frames, told.connected, road.queued]).toEqual([true, ["late"], ["frame"], 1, 7]);
    await road.setTrack("microphone" as unknown as MediaStreamTrack);
    expect(connection.track).toBe("microphone");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told.endings).toEqual([]);
  });

  it("takes the beta's path in the beta shape", async () => {
    answers.realtime = new Response("answer", { status: 201 });
    await open("beta");
    expect(requests[1]).toEqual(["/v1/realtime?model=m", "offer 0"]);
  });

  it("is blocked where nothing connects in time, or no way is found", async () => {
    await open();
    await vi.advanceTimersByTimeAsync(8000);
    const { connection } = await open();
    connection.become("failed");
    expect(told.endings.map(({ code, hasOpened, isBlocked }) => [code, hasOpened, isBlocked])).toEqual([[1006, false, true], [1006, false, true]]);
  });

  it("is none where the server has none", async () => {
    answers.ice = Response.json({ error: { message: "no" } }, { status: 404 });
    await expect(open()).rejects.toBeInstanceOf(NoRoad);
    answers.ice = Response.json({});
    answers.calls = Response.json({ error: { message: "switched off" } }, { status: 501 });
    await open();
    expect(told.endings).toEqual([{ code: 1006, reason: "switched off", hasOpened: false, isBlocked: true }]);
  });

  it("is refused in the server's words", async () => {
    answers.calls = Response.json({ error: { message: "full" } }, { status: 503 });
    const { connection } = await open();
    expect(told.refused).toEqual([new NoAccess("busy", "full")]);
    expect([(told.refused[0] as NoAccess).refusal, connection.connectionState, told.endings]).toEqual(["busy", "closed", []]);
  });

  it("is given other addresses when it falters, and goes on", async () => {
    const { connection } = await open();
    connection.open();
    connection.become("disconnected", "connected");
    await vi.advanceTimersByTimeAsync(2000);
    connection.become("connected");
    await vi.advanceTimersByTimeAsync(5000);
    expect(connection.restarts).toBe(0);
    connection.become("disconnected", "connected");
    await vi.advanceTimersByTimeAsync(2500);
    expect(requests.at(-1)).toEqual(["/v1/realtime/calls/rtc_1/offer", "offer 1"]);
    expect(connection.remote.at(-1)).toEqual({ type: "answer", sdp: "another answer" });
    connection.become("connected");
    await vi.advanceTimersByTimeAsync(60_000);
    expect([told.endings, told.connected]).toEqual([[], 1]);
  });

  it("breaks when other addresses do not help, or the call is gone", async () => {
    const first = await open();
    first.connection.open();
    first.connection.become("failed");
    await vi.advanceTimersByTimeAsync(10_000);
    answers.offer = Response.json({ error: { message: "no such call" } }, { status: 404 });
    const second = await open();
    second.connection.open();
    second.connection.become("failed");
    await vi.advanceTimersByTimeAsync(0);
    expect(told.endings).toEqual([
      { code: 1006, reason: "the line broke", hasOpened: true, isBlocked: false },
      { code: 1006, reason: "no such call", hasOpened: true, isBlocked: false },
    ]);
  });

  it("ends when the server ends it, and silently when the traveller does", async () => {
    const { connection } = await open();
    connection.open();
    connection.channel.onclose!();
    expect(told.endings).toEqual([{ code: 1000, reason: "", hasOpened: true, isBlocked: false }]);
    const { road, connection: other } = await open();
    other.open();
    road.close();
    expect([other.connectionState, other.channel.onclose, told.endings.length, await road.link()]).toEqual(["closed", null, 1, null]);
  });
});
