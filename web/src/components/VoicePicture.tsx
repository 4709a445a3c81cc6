/** How likely the server takes it that you speak, against the threshold, while it happens. */

import { useEffect, useRef } from "react";
import type { Session } from "../realtime/session";
import { SHOWN_MS, type VoiceWatch } from "../realtime/voice";
import { texts } from "../texts";

const t = texts.voice;
/** Between two words in writing: more often nobody could read them. */
const TOLD_MS = 400;
const EDGE = 3;

export function VoicePicture({ session, threshold }: { session: Session; threshold: number | null }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const meter = useRef<HTMLDivElement>(null);
  const words = useRef<HTMLParagraphElement>(null);
  const wanted = useRef(threshold);
  wanted.current = threshold;
  useEffect(() => {
    session.watchVoice(true);
    return () => session.watchVoice(false);
  }, [session]);

  // Drawn outside of React: sixty times a second is too often for it.
  useEffect(() => {
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    let frame = 0;
    let toldAt = 0;
    const draw = () => {
      frame = requestAnimationFrame(draw);
      const now = performance.now();
      const { voice } = session;
      const line = wanted.current ?? voice.threshold ?? 0.5;
      if (canvas.current !== null) paint(canvas.current, voice, line, now, still.matches);
      if (now - toldAt < TOLD_MS || meter.current === null || words.current === null) return;
      toldAt = now;
      const told = say(session, line, now);
      if (words.current.textContent !== told) words.current.textContent = told;
      const probability = Math.round((voice.frames.at(-1)?.probability ?? 0) * 100);
      meter.current.setAttribute("aria-valuenow", String(probability));
      meter.current.setAttribute("aria-valuetext", told);
    };
    draw();
    return () => cancelAnimationFrame(frame);
  }, [session]);

  return (
    <div className="grid gap-1.5">
      <p className="text-sm font-medium">{t.title}</p>
      <div className="relative h-20 overflow-hidden rounded-lg bg-muted">
        <canvas ref={canvas} data-testid="voice" aria-hidden="true" className="h-full w-full" />
        <div ref={meter} role="meter" aria-label={t.title} aria-valuemin={0} aria-valuemax={100} aria-valuenow={0} className="sr-only" />
      </div>
      <p ref={words} data-testid="voice-words" aria-hidden="true" className="text-xs text-muted-foreground tabular-nums">
        {t.none}
      </p>
      <p className="text-xs text-muted-foreground">{t.legend}</p>
    </div>
  );
}

function say(session: Session, line: number, now: number): string {
  const { voice, phase, isListening, isMuted } = session;
  if (phase !== "live" || !isListening) return t.none;
  if (voice.isSilent(now)) return t.unknown;
  const last = voice.frames.at(-1);
  if (last === undefined) return t.waiting;
  if (isMuted) return t.muted;
  return t.now(last.probability.toFixed(2), line.toFixed(2), last.probability >= line ? t.speech : t.quiet);
}

/** Draw the frames of late; where motion is unwelcome, the latest alone. */
function paint(canvas: HTMLCanvasElement, voice: VoiceWatch, line: number, now: number, isStill: boolean): void {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (width === 0) return;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  if (pen === null) return;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`);
  const y = (probability: number) => height - EDGE - probability * (height - 2 * EDGE);
  const last = voice.frames.at(-1);
  if (last !== undefined) {
    const perMs = width / SHOWN_MS;
    const frames = isStill ? [last] : voice.frames;
    // Frames are told a few at a time, and drawn as evenly as they were heard.
    const sinceMs = isStill ? 0 : Math.min(now - voice.toldAt, 10 * voice.frameMs);
    for (const frame of frames) {
      pen.fillStyle = colour(voice.isTurn(frame) ? "ok" : "input");
      const right = isStill ? width : width - (last.endMs - frame.endMs + sinceMs) * perMs;
      const wide = isStill ? width : voice.frameMs * perMs;
      pen.fillRect(right - wide, y(frame.probability), Math.ceil(wide), height - y(frame.probability));
    }
  }
  pen.fillStyle = colour("foreground");
  pen.fillRect(0, y(line) - 0.5, width, 1.5);
}
