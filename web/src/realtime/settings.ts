/** What the visitor chose: kept in the browser, passed on as a link, and told to the server as a session. */

import { type RoadName, ROADS } from "./road";

export interface Settings {
  /** How sound travels: in the events of a WebSocket, or beside them by WebRTC. */
  road: RoadName;
  model: string;
  shape: "ga" | "beta";
  voice: string;
  instructions: string;
  speed: number;
  temperature: number;
  transcriptionModel: string;
  language: string;
  tools: boolean;
  mode: "hands-free" | "push-to-talk";
  detection: "server_vad" | "semantic_vad";
  threshold: number;
  prefixMs: number;
  silenceMs: number;
  idleMs: number;
  eagerness: "auto" | "low" | "medium" | "high";
  createResponse: boolean;
  interruptResponse: boolean;
  interruption: "server" | "vad" | "adaptive";
  noiseReduction: "none" | "near_field" | "far_field";
  echoCancellation: boolean;
  noiseSuppression: boolean;
  autoGain: boolean;
  volume: number;
  theme: "system" | "light" | "dark";
}

export const DEFAULTS: Settings = {
  road: "websocket",
  model: "vivavoce",
  shape: "ga",
  voice: "alloy",
  instructions: "You are a friendly assistant. Keep your answers short.",
  speed: 1,
  temperature: 0.8,
  transcriptionModel: "gpt-realtime-whisper",
  language: "en",
  tools: true,
  mode: "hands-free",
  detection: "server_vad",
  threshold: 0.5,
  prefixMs: 300,
  silenceMs: 500,
  idleMs: 0,
  eagerness: "auto",
  createResponse: true,
  interruptResponse: true,
  interruption: "server",
  noiseReduction: "none",
  echoCancellation: true,
  noiseSuppression: true,
  autoGain: true,
  volume: 1,
  theme: "system",
};

export const VOICES = ["alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse"] as const;

/** The least and the most that the protocol takes, and how far one step goes. */
export const RANGES = {
  speed: [0.25, 1.5, 0.05],
  temperature: [0, 2, 0.05],
  threshold: [0, 1, 0.05],
  prefixMs: [0, 5000, 50],
  silenceMs: [0, 10_000, 50],
  idleMs: [0, 30_000, 1000],
  volume: [0, 1, 0.05],
} as const;

/** The shortest time that the protocol lets a server wait before it speaks again; below that it never does. */
export const LEAST_IDLE_MS = 5000;

const CHOICES: { [Name in keyof Settings]?: readonly string[] } = {
  road: ROADS,
  shape: ["ga", "beta"],
  mode: ["hands-free", "push-to-talk"],
  detection: ["server_vad", "semantic_vad"],
  eagerness: ["auto", "low", "medium", "high"],
  interruption: ["server", "vad", "adaptive"],
  noiseReduction: ["none", "near_field", "far_field"],
  theme: ["system", "light", "dark"],
};

/** What belongs to a visitor's own room and eyes, and is not passed on with a link. */
const PERSONAL = new Set<keyof Settings>(["volume", "theme", "echoCancellation", "noiseSuppression", "autoGain"]);

/** Return settings in which everything usable of `found` is taken over; the rest is as usual. */
export function read(found: unknown): Settings {
  const settings: Record<string, unknown> = { ...DEFAULTS };
  if (typeof found !== "object" || found === null) return { ...DEFAULTS };
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    const value = (found as Record<string, unknown>)[name];
    if (typeof value !== typeof usual) continue;
    const choices = CHOICES[name as keyof Settings];
    if (choices !== undefined && !choices.includes(value as string)) continue;
    const range = name in RANGES ? RANGES[name as keyof typeof RANGES] : undefined;
    if (range !== undefined && !((value as number) >= range[0] && (value as number) <= range[1])) continue;
    settings[name] = value;
  }
  return settings as unknown as Settings;
}

/** Return the part of an address after `#` that brings others the same settings; empty where all is as usual. */
export function toFragment(settings: Settings): string {
  const changed = Object.entries(settings).filter(
    ([name, value]) => !PERSONAL.has(name as keyof Settings) && value !== DEFAULTS[name as keyof Settings],
  );
  return changed.length === 0 ? "" : `#${encodeURIComponent(JSON.stringify(Object.fromEntries(changed)))}`;
}

/** Return the settings of a link on top of one's own; null where the link brings none. */
export function fromFragment(fragment: string, own: Settings): Settings | null {
  if (fragment.length < 2) return null;
  let found: unknown;
  try {
    found = JSON.parse(decodeURIComponent(fragment.slice(1)));
  } catch {
    return null;
  }
  if (typeof found !== "object" || found === null) return null;
  const kept = Object.fromEntries(Object.entries(own).filter(([name]) => PERSONAL.has(name as keyof Settings)));
  return read({ ...found, ...kept });
}

function turnDetection(settings: Settings): object | null {
  if (settings.mode === "push-to-talk") return null;
  const both = {
    create_response: settings.createResponse,
    interrupt_response: settings.interruptResponse,
    ...(settings.interruption === "server" ? {} : { interruption_mode: settings.interruption }),
  };
  if (settings.detection === "semantic_vad") return { type: "semantic_vad", eagerness: settings.eagerness, ...both };
  return {
    type: "server_vad",
    threshold: settings.threshold,
    prefix_padding_ms: settings.prefixMs,
    silence_duration_ms: settings.silenceMs,
    idle_timeout_ms: settings.idleMs >= LEAST_IDLE_MS ? settings.idleMs : null,
    ...both,
  };
}

/** Return the session that the settings ask for, in the shape that they ask for. */
export function toSession(settings: Settings, tools: readonly object[]): object {
  const transcription = {
    model: settings.transcriptionModel,
    // A name that is still being typed is none.
    ...(settings.language.length === 2 ? { language: settings.language } : {}),
  };
  const noise = settings.noiseReduction === "none" ? null : { type: settings.noiseReduction };
  const offered = settings.tools ? tools : [];
  if (settings.shape === "beta") {
    return {
      modalities: ["audio", "text"],
      instructions: settings.instructions,
      voice: settings.voice,
      speed: settings.speed,
      temperature: settings.temperature,
      input_audio_format: "pcm16",
      output_audio_format: "pcm16",
      input_audio_transcription: transcription,
      input_audio_noise_reduction: noise,
      turn_detection: turnDetection(settings),
      tools: offered,
      tool_choice: "auto",
    };
  }
  const format = { type: "audio/pcm", rate: 24_000 };
  return {
    type: "realtime",
    output_modalities: ["audio"],
    instructions: settings.instructions,
    audio: {
      input: { format, transcription, noise_reduction: noise, turn_detection: turnDetection(settings) },
      output: { format, voice: settings.voice, speed: settings.speed },
    },
    tools: offered,
    tool_choice: "auto",
  };
}

/** Fields that only a new connection can change. */
export function needsNewConnection(before: Settings, after: Settings): boolean {
  return before.model !== after.model || before.shape !== after.shape || before.road !== after.road;
}
