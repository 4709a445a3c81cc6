/**
 * Both voices as waveforms on one clock, with turns, calls of tools, interruptions and the waits for answers.
 *
 * What it shows is told by the list beside it, too, whose buttons do for the keyboard what pressing does here.
 */

import { type PointerEvent, useEffect, useImperativeHandle, useLayoutEffect, useRef, useState } from "react";
import { RATE } from "../audio/pcm";
import { texts } from "../texts";
import { clock } from "./exports";
import type { Listening } from "./listening";
import type { Entry, Talked } from "./recorder";
import { fitting, markSeconds } from "./scale";
import { soundLength } from "./wav";

const LANE = 76;
const MIDDLE = 26;
const RULER = 22;
export const HEIGHT = 2 * LANE + MIDDLE + RULER;
const ZOOM_STEP = 1.6;
/** Where the place that is heard stands when the picture follows it, as a share of the width. */
const FOLLOWED_AT = 0.15;

export interface WavesControl {
  /** Make the picture wider by a factor, or show all of the talk. */
  zoom(factor: number): void;
  whole(): void;
}

export function Waves({
  talk,
  listening,
  theme,
  control,
}: {
  talk: Talked;
  listening: Listening;
  theme: string;
  control: React.Ref<WavesControl>;
}) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [wanted, setWanted] = useState(0);
  const zoom = fitting(wanted, talk.length, Math.max(1, width));
  const pixels = Math.ceil((talk.length / RATE) * zoom);

  useEffect(() => {
    const place = box.current!;
    const watcher = new ResizeObserver(() => setWidth(place.clientWidth));
    watcher.observe(place);
    return () => watcher.disconnect();
  }, []);

  const draw = () => {
    if (canvas.current !== null && width > 0) paint(canvas.current, talk, (box.current!.scrollLeft / zoom) * RATE, zoom, width);
  };
  useLayoutEffect(draw, [talk, zoom, width, theme]);

  /** Change the zoom, and keep what is at that pixel of the screen there. */
  const zoomAt = (factor: number, pixel: number) => {
    const place = box.current!;
    const next = fitting(zoom * factor, talk.length, width);
    const seconds = (place.scrollLeft + pixel) / zoom;
    setWanted(next);
    // Only when the picture is as wide can it be scrolled as far.
    requestAnimationFrame(() => {
      place.scrollLeft = seconds * next - pixel;
    });
  };
  useImperativeHandle(control, () => ({
    zoom: (factor) => {
      const pixel = (listening.place / RATE) * zoom - box.current!.scrollLeft;
      zoomAt(factor, pixel >= 0 && pixel <= width ? pixel : width / 2);
    },
    whole: () => setWanted(0),
  }));

  const turned = useRef(zoomAt);
  turned.current = zoomAt;
  useEffect(() => {
    const place = box.current!;
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      turned.current(event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, event.clientX - place.getBoundingClientRect().left);
    };
    // React's own listeners cannot keep the browser from zooming the page.
    place.addEventListener("wheel", wheel, { passive: false });
    return () => place.removeEventListener("wheel", wheel);
  }, []);

  useEffect(() => {
    let frame = 0;
    const move = () => {
      frame = requestAnimationFrame(move);
      const [place, line] = [box.current, head.current];
      if (place === null || line === null) return;
      const x = (listening.place / RATE) * zoom;
      line.style.transform = `translateX(${x}px)`;
      const isSeen = x >= place.scrollLeft && x <= place.scrollLeft + place.clientWidth;
      if (listening.isPlaying && !isSeen) place.scrollLeft = x - FOLLOWED_AT * place.clientWidth;
    };
    move();
    return () => cancelAnimationFrame(frame);
  }, [listening, zoom]);

  const seek = (event: { clientX: number }) => {
    const place = box.current!;
    const x = event.clientX - place.getBoundingClientRect().left + place.scrollLeft;
    listening.seek((x / zoom) * RATE);
  };
  // A finger that is drawn scrolls; a mouse that is drawn seeks.
  const drag = (event: PointerEvent) => {
    if (event.pointerType === "mouse" && event.buttons === 1) seek(event);
  };
  return (
    <div
      ref={box}
      data-testid="waves"
      role="group"
      aria-label={texts.review.waves}
      tabIndex={0}
      onScroll={draw}
      className="relative overflow-x-auto overflow-y-hidden rounded-lg border bg-card"
    >
      <div
        className="relative cursor-pointer"
        style={{ width: pixels, height: HEIGHT }}
        onClick={seek}
        onPointerDown={(event) => {
          if (event.pointerType === "mouse") event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={drag}
      >
        <canvas ref={canvas} aria-hidden="true" className="sticky left-0 block" style={{ width, height: HEIGHT }} />
        <div ref={head} aria-hidden="true" className="pointer-events-none absolute top-0 left-0 h-full w-0.5 bg-foreground" />
      </div>
    </div>
  );
}

interface Colours {
  own: string;
  theirs: string;
  soft: string;
  words: string;
  bad: string;
  border: string;
}

function paint(canvas: HTMLCanvasElement, talk: Talked, from: number, zoom: number, width: number): void {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(HEIGHT * ratio);
  const pen = canvas.getContext("2d");
  if (pen === null) return;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = `11px ${getComputedStyle(canvas).fontFamily}`;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`);
  const colours: Colours = {
    own: colour("ok"),
    theirs: colour("primary"),
    soft: colour("muted"),
    words: colour("muted-foreground"),
    bad: colour("destructive"),
    border: colour("border"),
  };
  const x = (place: number) => ((place - from) / RATE) * zoom;
  const to = from + (width / zoom) * RATE;
  for (const entry of talk.entries) {
    if (entry.to < from || entry.from > to) continue;
    const y = entry.kind === "assistant" ? LANE + MIDDLE : 0;
    pen.fillStyle = colours.soft;
    for (const span of entry.spans) {
      pen.beginPath();
      pen.roundRect(x(span.from), y + 3, Math.max(2, x(span.to) - x(span.from)), LANE - 6, 6);
      pen.fill();
    }
  }
  voice(pen, talk.user.peaks(from, to, Math.ceil(width)), 0, colours.own);
  voice(pen, talk.assistant.peaks(from, to, Math.ceil(width)), LANE + MIDDLE, colours.theirs);
  for (const entry of talk.entries) {
    if (Math.max(entry.to, entry.latency?.to ?? 0) >= from && entry.from <= to) mark(pen, entry, x, colours);
  }
  ruler(pen, from, zoom, width, colours);
  if (talk.keptTo !== null && talk.keptTo < to) {
    pen.fillStyle = colours.border;
    pen.fillRect(x(soundLength(talk)), 0, width, 2 * LANE + MIDDLE);
  }
}

/** Draw one voice around the middle of its lane. */
function voice(pen: CanvasRenderingContext2D, peaks: Float32Array, top: number, colour: string): void {
  const middle = top + LANE / 2;
  pen.fillStyle = colour;
  for (let i = 0; i < peaks.length; i++) {
    // Soft speech is seen, too: the root of the level is nearer to what the ear takes for loudness.
    const half = Math.sqrt(peaks[i]!) * (LANE / 2 - 5);
    if (half > 0) pen.fillRect(i, middle - half, 1, Math.max(1, 2 * half));
  }
}

/** Draw what cannot be heard: waits, cuts, calls, and what was written. */
function mark(pen: CanvasRenderingContext2D, entry: Entry, x: (place: number) => number, colours: Colours): void {
  const middle = LANE + MIDDLE / 2;
  if (entry.latency?.totalMs != null) {
    const [begin, end] = [x(entry.latency.from), x(entry.latency.to)];
    pen.fillStyle = colours.words;
    pen.fillRect(begin, middle - 1, Math.max(1, end - begin), 2);
    pen.fillRect(begin, middle - 7, 1, 7);
    pen.fillRect(end, middle, 1, 7);
    const words = `${Math.round(entry.latency.totalMs)} ms`;
    if (end - begin > 12) pen.fillText(words, end + 5, middle + 4);
  }
  if (entry.kind === "assistant" && entry.state === "cut") {
    pen.fillStyle = colours.bad;
    for (let y = 0; y < 2 * LANE + MIDDLE; y += 8) pen.fillRect(x(entry.to) - 1, y, 2, 5);
  }
  if (entry.kind === "tool" || (entry.kind === "user" && entry.spans.length === 0)) {
    const at = x(entry.from);
    pen.fillStyle = entry.kind === "tool" ? colours.words : colours.own;
    pen.beginPath();
    pen.moveTo(at, middle - 6);
    pen.lineTo(at + 6, middle);
    pen.lineTo(at, middle + 6);
    pen.lineTo(at - 6, middle);
    pen.fill();
  }
}

function ruler(pen: CanvasRenderingContext2D, from: number, zoom: number, width: number, colours: Colours): void {
  const step = markSeconds(zoom);
  const top = 2 * LANE + MIDDLE;
  pen.fillStyle = colours.border;
  pen.fillRect(0, top, width, 1);
  const begin = from / RATE;
  for (let i = Math.floor(begin / step); i * step <= begin + width / zoom; i++) {
    const x = (i * step - begin) * zoom;
    pen.fillStyle = colours.border;
    pen.fillRect(x, top, 1, 6);
    pen.fillStyle = colours.words;
    pen.fillText(clock(Math.round(i * step * RATE), step < 1 ? 1 : 0), x + 4, top + 15);
  }
}
