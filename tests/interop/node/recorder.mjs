// Records every server event of a client program: `node --import ./recorder.mjs program.mjs JOB`.
// Each line of the recording is {"connection": 0, "event": {...}}.  It listens below the SDKs: to the `ws` package and
// to Node's own WebSocket.
import { appendFileSync } from "node:fs";
import { WebSocket as WsWebSocket } from "ws";

const { recording } = JSON.parse(process.argv[2]);
const numbers = new WeakMap();
let count = 0;

function record(socket, data) {
  if (!numbers.has(socket)) numbers.set(socket, count++);
  const line = { connection: numbers.get(socket), event: JSON.parse(data.toString()) };
  appendFileSync(recording, JSON.stringify(line) + "\n");
}

const emit = WsWebSocket.prototype.emit;
WsWebSocket.prototype.emit = function (name, ...rest) {
  if (name === "message") record(this, rest[0]);
  return emit.call(this, name, ...rest);
};

const NativeWebSocket = globalThis.WebSocket;
globalThis.WebSocket = class extends NativeWebSocket {
  constructor(...rest) {
    super(...rest);
    this.addEventListener("message", (message) => record(this, message.data));
  }
};
