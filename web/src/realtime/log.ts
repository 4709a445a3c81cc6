/** All events of both sides, as they were sent, for people who want to see what is going on. */

export interface Entry {
  id: number;
  /** Milliseconds since the page was opened. */
  at: number;
  from: "client" | "server" | "page";
  type: string;
  /** The event as JSON; sound is named by its length alone. */
  json: string;
}

const MOST = 3000;
/** Frames of sound would bury everything else: they are counted in one entry. */
const STREAMED = new Set(["input_audio_buffer.append"]);
const SOUNDS = new Set(["audio", "delta"]);

export class EventLog {
  entries: Entry[] = [];
  private next = 0;
  private streamed = 0;

  add(from: Entry["from"], event: { type: string; [field: string]: unknown }, now: number): void {
    if (STREAMED.has(event.type)) {
      this.streamed += 1;
      const last = this.entries.at(-1);
      if (last?.type === event.type) {
        this.entries[this.entries.length - 1] = { ...last, json: streamed(event.type, this.streamed) };
        return;
      }
      this.streamed = 1;
      this.push({ from, type: event.type, at: now, json: streamed(event.type, 1) });
      return;
    }
    this.push({ from, type: event.type, at: now, json: JSON.stringify(event, (name, value: unknown) => brief(event.type, name, value)) });
  }

  private push(entry: Omit<Entry, "id">): void {
    this.next += 1;
    this.entries = [...this.entries.slice(-MOST), { id: this.next, ...entry }];
  }

  /** Everything as JSON lines. */
  text(): string {
    return this.entries.map((entry) => `{"at_ms":${entry.at.toFixed(1)},"from":"${entry.from}","event":${entry.json}}\n`).join("");
  }
}

function streamed(type: string, frames: number): string {
  return JSON.stringify({ type, frames });
}

function brief(type: string, name: string, value: unknown): unknown {
  const isSound = SOUNDS.has(name) && typeof value === "string" && /audio\.delta$|append$|retrieved$/.test(type);
  // A token takes up the conversation, and a log is easily passed on.
  if (name === "token" && typeof value === "string") return "...";
  return isSound ? `(${value.length} characters of base64)` : value;
}
