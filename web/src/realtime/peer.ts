/**
 * The road by WebRTC: a track each way beside a channel of events.
 *
 * The offer is posted at once, without addresses, which the server learns from the first packets.  A line that falters
 * is given new addresses on the same call (an ICE restart); one that stays broken is closed, for the traveller to come
 * again.
 */

import { NoAccess } from "./access";
import { type Counted, type Link, readLink } from "./link";
import type { Road, Traveller } from "./road";
import { iceServers, NoRoad, offer, renew } from "./signalling";

/** How long the media may take after the server's answer.  Longer is a network that lets no UDP through. */
const CONNECT_MS = 8000;
/** How long a line may falter before it is given new addresses, and how long these may take. */
const FALTER_MS = 2500;
const RESTART_MS = 10_000;

export interface PeerTraveller extends Traveller {
  /** Told of the answers' sound. */
  heard(stream: MediaStream): void;
  /** Told when sound can pass, the first time. */
  connected(): void;
  /** The server did not let the call in. */
  refused(error: NoAccess): void;
}

/** What a call is asked for with. */
export interface Asking {
  secret: string;
  shape: "ga" | "beta";
  query: Record<string, string>;
}

export class PeerRoad implements Road {
  readonly name = "webrtc";
  private readonly peer: RTCPeerConnection;
  private readonly channel: RTCDataChannel;
  private readonly sender: RTCRtpSender;
  /** The path of the call at the server. */
  private path = "";
  private patience: ReturnType<typeof setTimeout> | undefined;
  private hasOpened = false;
  private hasConnected = false;
  private isClosed = false;
  private isRestarting = false;
  private counted: Counted = { delaySeconds: 0, emitted: 0 };

  private constructor(
    servers: RTCIceServer[],
    private readonly asking: Asking,
    private readonly traveller: PeerTraveller,
  ) {
    this.peer = new RTCPeerConnection({ iceServers: servers });
    // Without a microphone yet, or ever: a track can be put in its place at any time.
    this.sender = this.peer.addTransceiver("audio", { direction: "sendrecv" }).sender;
    this.channel = this.peer.createDataChannel("oai-events");
    this.channel.onopen = () => this.opened();
    this.channel.onmessage = (message: MessageEvent<string>) => this.traveller.receive(message.data);
    this.channel.onclose = () => this.ended(1000, "");
    this.peer.ontrack = ({ streams, track }) => this.traveller.heard(streams[0] ?? new MediaStream([track]));
    this.peer.onconnectionstatechange = () => this.stateChanged();
    this.peer.oniceconnectionstatechange = () => this.stateChanged();
  }

  /**
   * Set out; the traveller is told how it goes.
   *
   * Throws `NoAccess` or `NoRoad` where it cannot even begin.
   */
  static async open(asking: Asking, traveller: PeerTraveller): Promise<PeerRoad> {
    if (!("RTCPeerConnection" in window)) throw new NoRoad("");
    const road = new PeerRoad(await iceServers(asking.secret), asking, traveller);
    void road.call();
    return road;
  }

  get queued(): number {
    return this.channel.bufferedAmount;
  }

  send(frame: string): boolean {
    if (this.channel.readyState !== "open") return false;
    try {
      this.channel.send(frame);
      return true;
    } catch {
      // Longer than the server takes in one message.
      return false;
    }
  }

  /** Send this sound, or none. */
  async setTrack(track: MediaStreamTrack | null): Promise<void> {
    if (!this.isClosed) await this.sender.replaceTrack(track);
  }

  /** Return how the line does; null before anything came. */
  async link(): Promise<Link | null> {
    if (this.isClosed) return null;
    const report = await this.peer.getStats();
    const read = readLink([...report.values()], this.counted);
    if (read === null) return null;
    this.counted = read.counted;
    return read.link;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    clearTimeout(this.patience);
    this.channel.onclose = this.channel.onmessage = null;
    this.peer.close();
  }

  private async call(): Promise<void> {
    const { secret, shape, query } = this.asking;
    try {
      await this.peer.setLocalDescription();
      const { answer, call } = await offer(secret, shape, query, this.peer.localDescription!.sdp);
      if (this.isClosed) return;
      this.path = call;
      this.patience = setTimeout(() => this.failed("the media did not connect"), CONNECT_MS);
      await this.peer.setRemoteDescription({ type: "answer", sdp: answer });
    } catch (error) {
      if (this.isClosed) return;
      if (error instanceof NoRoad || !(error instanceof NoAccess)) return this.failed(String((error as Error).message));
      this.close();
      this.traveller.refused(error);
    }
  }

  private opened(): void {
    this.hasOpened = true;
    clearTimeout(this.patience);
  }

  private stateChanged(): void {
    if (this.isClosed) return;
    const ice = this.peer.iceConnectionState;
    const { connectionState } = this.peer;
    if (connectionState === "connected" && !this.hasConnected) {
      this.hasConnected = true;
      this.traveller.connected();
    }
    if (connectionState === "closed") return this.ended(1000, "");
    if (ice === "connected" || ice === "completed") {
      if (this.hasOpened) clearTimeout(this.patience);
      this.isRestarting = false;
    } else if (ice === "failed" && !this.hasOpened) this.failed("no way was found for the media");
    else if (ice === "failed" && !this.isRestarting) void this.restart();
    else if (ice === "disconnected" && this.hasOpened && !this.isRestarting) {
      clearTimeout(this.patience);
      this.patience = setTimeout(() => void this.restart(), FALTER_MS);
    } else if (connectionState === "failed" && !this.isRestarting) this.failed("the line broke");
  }

  private async restart(): Promise<void> {
    if (this.isClosed || this.isRestarting) return;
    this.isRestarting = true;
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.failed("the line broke"), RESTART_MS);
    try {
      this.peer.restartIce();
      await this.peer.setLocalDescription();
      const sdp = await renew(this.asking.secret, this.path, this.peer.localDescription!.sdp);
      if (!this.isClosed) await this.peer.setRemoteDescription({ type: "answer", sdp });
    } catch (error) {
      this.failed(String((error as Error).message));
    }
  }

  private failed(reason: string): void {
    if (this.isClosed) return;
    const { hasOpened } = this;
    this.close();
    this.traveller.closed({ code: 1006, reason, hasOpened, isBlocked: !hasOpened });
  }

  private ended(code: number, reason: string): void {
    if (this.isClosed) return;
    const { hasOpened } = this;
    this.close();
    this.traveller.closed({ code, reason, hasOpened, isBlocked: false });
  }
}
