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
/** Frames of sound, and what is told of them, would bury everything else: they are counted in one entry. */
const STREAMED = new Set(["input_audio_buffer.append", "input_audio_buffer.voice_probability"]);
const SOUNDS = new Set(["audio", "delta"]);

export class EventLog {
  entries: Entry[] = [];
  private next = 0;
  /** How many of each kind have come since anything else did. */
  private readonly streamed = new Map<string, number>();

  add(from: Entry["from"], event: { type: string; [field: string]: unknown }, now: number): void {
    if (STREAMED.has(event.type)) return this.stream(from, event.type, now);
    this.streamed.clear();
    this.push({ from, type: event.type, at: now, json: JSON.stringify(event, (name, value: unknown) => brief(event.type, name, value)) });
  }

  private stream(from: Entry["from"], type: string, at: number): void {
    const count = (this.streamed.get(type) ?? 0) + 1;
    this.streamed.set(type, count);
    const json = streamed(type, count);
    if (count === 1) return this.push({ from, type, at, json });
    const place = this.entries.findLastIndex((entry) => entry.type === type);
    this.entries[place] = { ...this.entries[place]!, json };
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
