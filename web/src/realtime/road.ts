/** The ways to the server: a WebSocket, which carries sound in events, and WebRTC, which carries it beside them. */

export const ROADS = ["websocket", "webrtc"] as const;
export type RoadName = (typeof ROADS)[number];

/** How a connection ended, with the codes that WebSockets have for it. */
export interface Ending {
  code: number;
  reason: string;
  hasOpened: boolean;
  /** Whether this road does not lead there at all, and another may. */
  isBlocked: boolean;
}

/** Who travels on a road. */
export interface Traveller {
  receive(frame: string): void;
  /** Called once, and not where the traveller closed the road. */
  closed(ending: Ending): void;
}

export interface Road {
  readonly name: RoadName;
  /** Bytes that wait to be sent. */
  readonly queued: number;
  /** Send a frame, and return whether it could be sent. */
  send(frame: string): boolean;
  close(): void;
}

const OPEN_MS = 10_000;

export class SocketRoad implements Road {
  readonly name = "websocket";

  constructor(
    private readonly socket: WebSocket,
    private readonly traveller: Traveller,
  ) {
    const patience = setTimeout(() => socket.close(), OPEN_MS);
    let hasOpened = false;
    socket.onopen = () => {
      hasOpened = true;
      clearTimeout(patience);
    };
    socket.onmessage = (message: MessageEvent<string>) => this.traveller.receive(message.data);
    socket.onclose = ({ code, reason }) => {
      clearTimeout(patience);
      this.traveller.closed({ code, reason, hasOpened, isBlocked: false });
    };
  }

  get queued(): number {
    return this.socket.bufferedAmount;
  }

  send(frame: string): boolean {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(frame);
    return true;
  }

  close(): void {
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close(1000);
  }
}
