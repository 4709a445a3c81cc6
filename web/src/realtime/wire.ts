/** Events as they travel, and the beta shape's spellings of them. */

/** An event of the server; its fields are read with care, for servers differ. */
export interface ServerEvent {
  type: string;
  [field: string]: unknown;
}

export interface ClientEvent {
  type: string;
  [field: string]: unknown;
}

const GA_NAMES: Record<string, string> = {
  "response.text.delta": "response.output_text.delta",
  "response.text.done": "response.output_text.done",
  "response.audio.delta": "response.output_audio.delta",
  "response.audio.done": "response.output_audio.done",
  "response.audio_transcript.delta": "response.output_audio_transcript.delta",
  "response.audio_transcript.done": "response.output_audio_transcript.done",
};

/** Return an event under its name of the GA shape. */
export function inGaSpelling(event: ServerEvent): ServerEvent {
  const name = GA_NAMES[event.type];
  return name === undefined ? event : { ...event, type: name };
}

/** Return the event of a frame; null for what is none. */
export function decode(frame: string): ServerEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch {
    return null;
  }
  const isEvent = typeof value === "object" && value !== null && typeof (value as ServerEvent).type === "string";
  return isEvent ? (value as ServerEvent) : null;
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
